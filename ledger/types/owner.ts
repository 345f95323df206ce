/** `<scm>:<numeric id>`, for instance `github:583231` or `forge:1`. Rights compare nothing else. */
export type OwnerId = string;

export type Scm = "github" | "forge";

export type Owner = {
  readonly id: OwnerId;
  readonly scm: Scm;
  /** As the source spells it now. */
  readonly login: string;
  /** Lower-case name under which functions are deployed; a claim, freed 30 days after removal. */
  readonly slug: string;
};
