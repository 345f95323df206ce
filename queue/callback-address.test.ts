import { promisify } from "node:util";
import test from "ava";
import { isPublicAddress, lookupPublic, refuseCallbackUrl } from "./callback-address.ts";

for (const address of [
  "127.0.0.1",
  "127.255.255.254",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "0.0.0.0",
  "224.0.0.1",
  "255.255.255.255",
  "::1",
  "::",
  "fe80::1",
  "fd00::1",
  "fec0::1",
  "ff02::1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::7f00:1",
  "64:ff9b::7f00:1",
  "2002:7f00:1::",
  "2001:0:4136:e378::1",
  "fe80::1%lo",
  "localhost",
  "",
])
  test(`${JSON.stringify(address)} is not a public address`, (t) => {
    t.false(isPublicAddress(address));
  });

for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"])
  test(`${address} is a public address`, (t) => {
    t.true(isPublicAddress(address));
  });

for (const url of [
  "http://127.0.0.1/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f.0.0.1/",
  "http://0177.0.0.1/",
  "http://[::1]:8080/",
  "http://[::ffff:7f00:1]/",
  "https://169.254.169.254/latest/meta-data",
])
  test(`${url} is refused unless private callbacks are allowed`, (t) => {
    t.regex(refuseCallbackUrl(url, false) ?? "", /private address .* async_callback_private=true/);
    t.is(refuseCallbackUrl(url, true), undefined);
  });

for (const url of ["", "/done", "ftp://example.com", "file:///etc/passwd", "javascript:alert(1)"])
  test(`${JSON.stringify(url)} is no callback URL, wherever callbacks may go`, (t) => {
    t.is(typeof refuseCallbackUrl(url, true), "string");
  });

test("a password in a callback URL is refused and not repeated", (t) => {
  const why = refuseCallbackUrl("https://bob:hunter2@example.com/", true);

  t.regex(why ?? "", /password/);
  t.notRegex(why ?? "", /hunter2/);
});

for (const all of [true, false])
  test(`a name that resolves to this machine is not connected to (all ${all})`, async (t) => {
    const lookup = promisify(lookupPublic);

    await t.throwsAsync(async () => lookup("localhost", { all }), {
      code: "PRIVATE_ADDRESS",
      message: /localhost resolves to the private address/,
    });
  });
