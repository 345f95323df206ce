import type { Readable } from "node:stream";
import type { Config } from "./config.ts";

export type LogWriter = {
  /** One line with date and time, as Go's log package writes it. */
  write(text: string): void;
  /** Lines of a child, with or without a prefix as configured; long ones in pieces. */
  copy(name: "stdout" | "stderr", stream: Readable): void;
};

type LogConfig = Pick<Config, "prefixLogs" | "logBufferBytes">;

export function createLogWriter(config: LogConfig, write: (text: string) => void): LogWriter {
  const limit = config.logBufferBytes < 1 ? 1024 * 1024 : config.logBufferBytes;

  return {
    write: (text) => write(`${formatTime(new Date())} ${text}\n`),

    copy(name, stream) {
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        const lines = `${rest}${text}`.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) tell(name, line);
        if (rest.length < limit) return;
        tell(name, rest);
        rest = "";
      });
      stream.on("end", () => {
        if (rest !== "") tell(name, rest);
      });
    },
  };

  function tell(name: string, line: string): void {
    const prefix = config.prefixLogs ? `${formatTime(new Date())} ${name}: ` : "";
    for (let at = 0; at === 0 || at < line.length; at += limit)
      write(`${prefix}${line.slice(at, at + limit)}\n`);
  }
}

/** `2026/11/20 06:17:06`, local time. */
function formatTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
