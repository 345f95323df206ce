import test from "ava";
import { refuseSchedule } from "./refuse-schedule.ts";

for (const schedule of [
  "*/5 * * * *",
  "0 9 * * MON-FRI",
  "5/15 * * * *",
  "0 0-21/3 * * *",
  "0 0 1,15 * ?",
  "0 0 1 JAN 0",
  "@hourly",
  "@every 5m",
]) {
  test(`the schedule "${schedule}" runs`, (t) => {
    t.is(refuseSchedule(schedule), undefined);
  });
}

for (const schedule of [
  "",
  "* * * * * *",
  "* * * *",
  "61 * * * *",
  "* * * * 7",
  "* * 0 * *",
  "0 0 L * *",
  "0 0 * * 5#2",
  "0 0 * * monday",
  "*/0 * * * *",
  "9-5 * * * *",
  "1-2-3 * * * *",
  "@reboot",
  "@every soon",
  "TZ=0",
  "*/5 * * * *; * * * * 1,5",
]) {
  test(`the schedule "${schedule}" is refused`, (t) => {
    t.regex(refuseSchedule(schedule) ?? "", /^it must be five cron fields/);
  });
}
