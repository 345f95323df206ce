import { Code, ConnectError } from "@connectrpc/connect";
import test from "ava";
import { explainFailure } from "./explain-failure.ts";

const unknown = (text: string) => new ConnectError(text, Code.Unknown);

test("a BuildKit without the exporter of the one before it is tried again", (t) => {
  const explained = explainFailure(unknown('exporter "moby" could not be found'), false, []);

  t.like(explained, { status: 503, code: "buildkit-changed" });
});

test("a step that prints the words of a missing exporter fails its own build", (t) => {
  const text = 'exporter "moby" could not be found';
  const failed = [{ name: "[2/2] RUN false", error: text }];

  const explained = explainFailure(unknown(text), false, failed);

  t.like(explained, { status: 422, code: "build-failed" });
});
