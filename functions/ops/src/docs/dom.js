// Makes elements. Text is only ever set as text, so nothing that the contract
// or an answer holds can become markup.

/** An element with attributes, listeners (`onclick`) and children. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null));
  return element;
}

/** Paragraphs and lists with `code`, which is all the Markdown that the contract uses. */
export function prose(text) {
  return (text ?? "").split(/\n{2,}/).filter(Boolean).map((block) => {
    const lines = block.split("\n");
    if (!lines.every((line) => /^[-*] /.test(line))) return h("p", {}, spans(block));
    return h("ul", {}, lines.map((line) => h("li", {}, spans(line.slice(2)))));
  });
}

/** One line with `code`. */
export function spans(text) {
  return (text ?? "").split(/(`[^`]+`)/).map((part) =>
    part.startsWith("`") && part.length > 2 ? h("code", {}, part.slice(1, -1)) : part);
}

/** A button that copies what `text` gives. */
export function copyButton(label, text) {
  const button = h("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

/** A random UUID, also where the page is not served over TLS. */
export function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
