import { unprocessable } from "./github-error.ts";

export type Page<T> = { readonly items: readonly T[]; readonly headers: Record<string, string> };

/** One page of a list, `?per_page=` (30, at most 100) and `?page=`, with GitHub's Link header. */
export function paginate<T>(all: readonly T[], url: string): Page<T> {
  const query = new URL(url).searchParams;
  const size = Math.min(readCount(query, "per_page", 30), 100);
  const page = readCount(query, "page", 1);
  const last = Math.max(1, Math.ceil(all.length / size));
  const links = [
    ...(page > 1 ? [link(url, "prev", page - 1), link(url, "first", 1)] : []),
    ...(page < last ? [link(url, "next", page + 1), link(url, "last", last)] : []),
  ];
  return {
    items: all.slice((page - 1) * size, page * size),
    headers: links.length === 0 ? {} : { link: links.join(", ") },
  };
}

function link(url: string, relation: string, page: number): string {
  const target = new URL(url);
  target.searchParams.set("page", String(page));
  return `<${target.href}>; rel="${relation}"`;
}

export function readCount(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text) || value < 1)
    throw unprocessable(
      `${name} is ${JSON.stringify(text.slice(0, 40))}; expected a whole number from 1`,
    );
  return value;
}
