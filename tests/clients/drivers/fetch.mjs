// Node's fetch (undici). See client_story.py for the lines.
import { createInterface } from "node:readline";

const text = (encoded) => Buffer.from(encoded, "base64");

for await (const line of createInterface({ input: process.stdin })) {
  const [method, url, headers, body, framing] = line.split("\t");
  const given = text(headers).toString().split("\n").filter(Boolean).map((each) => each.split(": "));
  const content = text(body);
  const stream = () => new ReadableStream({ start(out) { out.enqueue(content); out.close(); } });
  const sent = content.length === 0 ? {} : framing === "chunked" ? { body: stream(), duplex: "half" } : { body: content };
  const answer = await fetch(url, { method, headers: given, ...sent });
  const read = Buffer.from(await answer.arrayBuffer());
  const told = [...answer.headers].map(([name, value]) => `${name}: ${value}\n`).join("");
  console.log([answer.status, Buffer.from(told).toString("base64"), read.toString("base64")].join("\t"));
}
