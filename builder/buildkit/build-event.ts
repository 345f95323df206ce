/** What happens in a build, as it happens. A step is known by `step`, which says nothing to people; `name` does. */
export type BuildEvent =
  | { readonly kind: "started"; readonly step: string; readonly name: string }
  | { readonly kind: "cached"; readonly step: string; readonly name: string }
  | {
      readonly kind: "done";
      readonly step: string;
      readonly name: string;
      readonly seconds: number;
    }
  | {
      readonly kind: "failed";
      readonly step: string;
      readonly name: string;
      readonly error: string;
    }
  /** A piece of what a step printed, cut anywhere. */
  | {
      readonly kind: "output";
      readonly step: string;
      readonly stream: "stdout" | "stderr";
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "warning"; readonly text: string };
