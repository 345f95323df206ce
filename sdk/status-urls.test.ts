import test from "ava";
import { readEnv } from "./env.ts";
import { functionUrl, readStatusUrls, statusUrl } from "./status-urls.ts";

const SHA = "c".repeat(40);
const about = {
  owner: { login: "AlexEllis", slug: "alexellis" },
  repository: { fullName: "AlexEllis/tester", url: "https://github.com/AlexEllis/tester" },
  sha: SHA,
};

function urlsOf(env: Readonly<Record<string, string>>) {
  const read = readEnv(env);
  return read.done(readStatusUrls(read));
}

const plain = urlsOf({ gateway_public_url: "https://cloud.example.com" });
const pretty = urlsOf({ gateway_pretty_url: "https://user.example.com/function" });
const boarded = urlsOf({ dashboard_url: "https://system.example.com/dashboard" });

test("a live function is linked to where it answers", (t) => {
  const live = { ...about, state: "success", functionName: "fn" } as const;

  t.is(statusUrl(plain, live), "https://cloud.example.com/function/alexellis-fn");
  t.is(statusUrl(pretty, live), "https://alexellis.example.com/fn");
});

test("only a whole host label user and a last part function are filled in", (t) => {
  for (const [pattern, expected] of [
    ["https://user.users.function.io/function", "https://al.users.function.io/fn"],
    ["https://user.example.com/", "https://al.example.com/fn"],
    ["https://users.example.com/function/", "https://users.example.com/fn"],
    ["http://user.localhost:8080/function", "http://al.localhost:8080/fn"],
  ] as const) {
    t.is(functionUrl(urlsOf({ gateway_pretty_url: pattern }), "al", "fn").prettyUrl, expected);
  }
});

test("without a dashboard everything else leads to the commit's own page", (t) => {
  const page = `https://github.com/AlexEllis/tester/commit/${SHA}`;

  t.is(statusUrl(plain, { ...about, state: "pending" }), page);
  t.is(statusUrl(plain, { ...about, state: "success" }), page);
  t.is(statusUrl(plain, { ...about, state: "failure", functionName: "fn" }), page);
});

test("with a dashboard a stack leads to the owner's page and a function to its build log", (t) => {
  t.is(
    statusUrl(boarded, { ...about, state: "failure" }),
    "https://system.example.com/dashboard/AlexEllis",
  );
  t.is(
    statusUrl(boarded, { ...about, state: "failure", functionName: "fn" }),
    `https://system.example.com/dashboard/AlexEllis/fn/build-log?repoPath=AlexEllis%2Ftester&commitSHA=${SHA}`,
  );
});

test("without a pretty URL a function has one address", (t) => {
  t.deepEqual(functionUrl(plain, "al", "fn"), {
    name: "fn",
    url: "https://cloud.example.com/function/al-fn",
  });
});
