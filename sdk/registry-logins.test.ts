import test from "ava";
import { readLogins, registryOf } from "./registry-logins.ts";

const auth = Buffer.from("alice:pass:word").toString("base64");

test("a login is found by its registry, however Docker Hub is named", (t) => {
  const find = readLogins(
    JSON.stringify({
      auths: {
        "127.0.0.1:5000": { auth },
        "https://index.docker.io/v1/": { username: "bob", password: "x" },
      },
    }),
  );

  t.deepEqual(find("127.0.0.1:5000"), { username: "alice", password: "pass:word" });
  t.deepEqual(find("registry-1.docker.io"), { username: "bob", password: "x" });
  t.deepEqual(find("docker.io"), { username: "bob", password: "x" });
  t.is(find("127.0.0.1:5001"), undefined);
});

for (const text of ["secret", '{"auths": "secret"}', '{"auths": {"a": "secret"}}'])
  test(`a registry-secret that is ${text} is refused without being told`, (t) => {
    const error = t.throws(() => readLogins(text));

    t.regex(error.message, /registry-secret is no config\.json/);
    t.false(error.message.includes('"secret"'));
  });

test("the registry of an image is what Docker would ask", (t) => {
  const images = ["a", "a/b:1", "ghcr.io/a/b", "localhost/a", "127.0.0.1:5000/a:1"];

  t.deepEqual(images.map(registryOf), [
    "docker.io",
    "docker.io",
    "ghcr.io",
    "localhost",
    "127.0.0.1:5000",
  ]);
});
