const PRICES = { apple: 0.4, bread: 2.8, coffee: 6.5, tea: 3.2 };
const CURRENCY = process.env.currency ?? "EUR";

/** GET lists the prices; POST {"apple": 3, "tea": 1} adds them up. */
module.exports = async (event, context) => {
  if (event.method === "GET") return context.succeed({ currency: CURRENCY, prices: PRICES });

  const problem = findProblem(event.body);
  if (problem) return context.status(400).succeed({ error: problem });

  const lines = Object.entries(event.body).map(([name, count]) => ({
    name,
    count,
    price: round(PRICES[name] * count),
  }));
  const total = round(lines.reduce((sum, line) => sum + line.price, 0));
  return context.succeed({ lines, total, currency: CURRENCY });
};

function findProblem(cart) {
  if (typeof cart !== "object" || cart === null || Array.isArray(cart))
    return 'Send JSON such as {"apple": 3, "tea": 1}.';
  const unknown = Object.keys(cart).find((name) => !Object.hasOwn(PRICES, name));
  if (unknown !== undefined) return `There is no "${unknown}" here; GET lists what there is.`;
  const odd = Object.entries(cart).find(([, count]) => !Number.isInteger(count) || count < 0);
  return odd && `"${odd[0]}" needs a whole number, not ${JSON.stringify(odd[1])}.`;
}

function round(amount) {
  return Math.round(amount * 100) / 100;
}
