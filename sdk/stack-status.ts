/** Context of the status that speaks for a whole push (spec/pipeline.md section 14.1). */
export const STACK_CONTEXT = "stack-deploy";

/** A status of the whole push. */
export function stackStatus<State extends string>(
  state: State,
  description: string,
  targetUrl: string,
) {
  return { context: STACK_CONTEXT, state, description, targetUrl };
}
