// Reads UI message streams with the npm package `ai`, as useChat does: a line of JSON in, a line out.
// In: {"body": base64, "messages": [...]}. Out: {"error", "message", "finishReason"}.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [folder] = process.argv.slice(2);
const ai = await import(pathToFileURL(`${folder}/node_modules/ai/dist/index.js`).href).catch(
  () => import(pathToFileURL(`${folder}/node_modules/ai/dist/index.mjs`).href),
);

async function read({ body, messages }) {
  const headers = { 'content-type': 'text/event-stream' };
  const fetch = async () => new Response(Buffer.from(body, 'base64'), { headers });
  const transport = new ai.DefaultChatTransport({ api: 'http://localhost/', fetch });
  let error = null;
  const fail = reason => (error ??= String(reason?.message ?? reason));
  let message = null;
  let finishReason = null;
  try {
    const trigger = 'submit-message';
    let stream = await transport.sendMessages({ chatId: '1', messages, trigger });
    stream = stream.pipeThrough(
      new TransformStream({
        transform(chunk, controller) {
          if (chunk.type === 'finish') finishReason = chunk.finishReason;
          controller.enqueue(chunk);
        },
      }),
    );
    const last = messages.at(-1)?.role === 'assistant' ? messages.at(-1) : undefined;
    const options = { message: last, stream, onError: fail, terminateOnError: true };
    for await (const one of ai.readUIMessageStream(options)) message = one;
    // What the SDK itself would send to a model: it must accept the message, too.
    if (message && error === null) await ai.convertToModelMessages([message]);
  } catch (reason) {
    fail(reason);
  }
  return { error, message, finishReason };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await read(JSON.parse(line))));
}
