import { z } from "zod";
import { stripControls } from "#sdk/strip-controls.ts";
import { connectAdmin } from "../admin-client.ts";
import { type CommandContext, textArgument } from "../context.ts";

const LINE = z.object({ instance: z.string(), timestamp: z.string(), text: z.string() });

/** What a function printed; with `--follow` until interrupted. */
export async function logs(context: CommandContext): Promise<void> {
  const { terminal, options } = context;
  const admin = await connectAdmin(options.data);
  const name = textArgument(context);
  let printed = 0;
  for await (const line of admin.lines(
    `/logs/${encodeURIComponent(name)}?follow=${options.follow === true}`,
  )) {
    const { timestamp, instance, text } = LINE.parse(JSON.parse(line));
    terminal.line(
      options.json ? line : `${terminal.dim(`${timestamp} ${instance}`)} ${stripControls(text)}`,
    );
    printed += 1;
  }
  if (printed === 0 && !options.json) terminal.line(`${name} has printed nothing yet.`);
}
