// The smallest page with useChat, for version 6 and 7 of the npm package `ai`. It keeps the
// conversation in the browser, where a real application would have it in its database.
import { Chat, useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const id = location.hash.slice(1);
const transport = new DefaultChatTransport({ api: "/api/chat" });
// The transport that useChat of version 6 makes by itself forgets that a resumed stream is a replay,
// and what was there before a lost connection would be there twice.
const chat = new Chat({ id, transport, messages: JSON.parse(localStorage.getItem(id) ?? "[]") });

function Part({ part }) {
  if (part.type === "text") return <span className="text">{part.text}</span>;
  if (part.type === "reasoning") return <i className="reasoning">{part.text}</i>;
  if (part.type === "dynamic-tool") return <b className="tool">{`${part.toolName} ${part.state}`}</b>;
  if (part.type === "file") return <img alt="" src={part.url} />;
  return null;
}

function Page() {
  const [text, setText] = useState("");
  const { messages, sendMessage, status, stop, error, resumeStream } = useChat({ chat, resume: true });
  useEffect(() => {
    const online = () => resumeStream();
    addEventListener("online", online);
    return () => removeEventListener("online", online);
  }, []);
  useEffect(() => {
    // The backend replays an answer that is running, so only one that has ended is kept.
    const question = messages.findLastIndex((one) => one.role === "user");
    const kept = status === "ready" ? messages : messages.slice(0, question + 1);
    localStorage.setItem(id, JSON.stringify(kept));
  }, [status, messages]);
  const stopAll = () => { stop(); fetch(`/api/chat/${id}/stop`, { method: "POST" }); };
  return (
    <main>
      {messages.map((one) => (
        <p key={one.id} className={one.role}>{one.parts.map((part, at) => <Part key={at} part={part} />)}</p>
      ))}
      <p id="status">{status}</p>
      <p id="error">{error?.message}</p>
      <form onSubmit={(event) => { event.preventDefault(); sendMessage({ text }); setText(""); }}>
        <input value={text} onChange={(event) => setText(event.target.value)} />
        <button type="button" onClick={stopAll}>Stop</button>
      </form>
    </main>
  );
}

createRoot(document.getElementById("root")).render(<Page />);
