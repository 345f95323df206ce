/** Characters; shorter ones are in every text. */
export const SHORTEST_FORM = 4;

/** Bytes of a secret that are looked for, from its beginning; what is larger is a file of many parts. */
const READ_BYTES = 32 * 1024;

/** `base64` breaks its lines there. */
const BASE64_LINE = 76;

/**
 * How programs print a secret: plain, percent-encoded, and base64, also inside of something longer that was
 * encoded (`user:secret`). Of a secret with several lines each line counts.
 */
export function formsOf(value: Uint8Array): readonly string[] {
  const bytes = Buffer.from(value.subarray(0, READ_BYTES));
  const text = bytes.toString();
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  // `echo $SECRET | base64` has another end than the file.
  const encoded = [bytes, Buffer.from(text.trimEnd())].flatMap(base64Forms);
  const forms = [...lines, ...encoded].flatMap(percentForms);
  return [...new Set(forms)].filter((form) => form.length >= SHORTEST_FORM);
}

/** Base64 of the bytes wherever they begin in what is encoded: without the characters that they share. */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    const whole = text.slice(
      Math.ceil((offset * 8) / 6),
      Math.floor(((offset + bytes.length) * 8) / 6),
    );
    const forms = offset === 0 ? [whole, ...piecesOf(whole)] : [whole];
    return forms.flatMap((form) => [form, form.replaceAll("+", "-").replaceAll("/", "_")]);
  });
}

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += BASE64_LINE)
    pieces.push(text.slice(at, at + BASE64_LINE));
  return pieces;
}

/** The text, and as JavaScript, RFC 3986 and Python write it in a URL; the last leaves `/` as it is. */
function percentForms(text: string): string[] {
  const loose = encodeURIComponent(text.toWellFormed());
  const strict = loose.replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const upper = [loose, strict, strict.replaceAll("%2F", "/")];
  const encoded = [
    ...upper,
    ...upper.map((form) => form.replace(/%../g, (code) => code.toLowerCase())),
  ];
  return [text, ...encoded, ...encoded.map((form) => form.replaceAll("%20", "+"))];
}
