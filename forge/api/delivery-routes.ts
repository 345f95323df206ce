import type { Delivery } from "../store/deliveries.ts";
import type { ApiContext, ApiTools } from "./api-tools.ts";
import { readId } from "./app-routes.ts";
import { notFound } from "./github-error.ts";
import { readCount } from "./pages.ts";

/** Webhooks that were sent, and asking for one once more. */
export function createDeliveryRoutes({ deliveries, repositories, wakeSender }: ApiTools) {
  return { list, show, redeliver };

  /** Newest first; GitHub pages here by cursor. */
  function list(context: ApiContext): Response {
    const url = new URL(context.req.url);
    const size = Math.min(readCount(url.searchParams, "per_page", 30), 100);
    const before = readCount(url.searchParams, "cursor", 999_999_999);
    const page = deliveries.list(before, size);
    const last = page.at(-1);
    url.searchParams.set("cursor", String(last?.id));
    const more = page.length === size && last !== undefined;
    const headers: Record<string, string> = more ? { link: `<${url.href}>; rel="next"` } : {};
    return context.json(page.map(formatDelivery), 200, headers);
  }

  function show(context: ApiContext): Response {
    const delivery = find(context);
    return context.json({
      ...formatDelivery(delivery),
      url: "",
      request: {
        headers: { "X-GitHub-Event": delivery.event, "X-GitHub-Delivery": delivery.guid },
        payload: delivery.payload === null ? null : JSON.parse(delivery.payload),
      },
      response: { headers: {}, payload: delivery.lastAnswer },
    });
  }

  function redeliver(context: ApiContext): Response {
    deliveries.redeliver(find(context).id);
    wakeSender();
    return context.json({}, 202);
  }

  function find(context: ApiContext): Delivery {
    const delivery = deliveries.find(readId(context));
    if (delivery === undefined) throw notFound();
    return delivery;
  }

  function formatDelivery(delivery: Delivery) {
    const repository = repositories.findById(delivery.repositoryId);
    return {
      id: delivery.id,
      guid: delivery.guid,
      delivered_at: new Date(delivery.settledAt ?? delivery.createdAt).toISOString(),
      redelivery: delivery.redelivery,
      duration: (delivery.durationMs ?? 0) / 1000,
      status: describeStatus(delivery),
      status_code: delivery.lastStatus ?? 0,
      event: delivery.event,
      action: null,
      installation_id: repository?.owner.id ?? null,
      repository_id: delivery.repositoryId,
      throttled_at: null,
    };
  }
}

function describeStatus({ lastStatus, state }: Delivery): string {
  if (lastStatus === null) return "pending";
  if (lastStatus === 0) return "failed to connect to host";
  return state === "delivered" ? "OK" : `Invalid HTTP Response: ${lastStatus}`;
}
