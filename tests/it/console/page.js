// What is wrong with the page that is shown, as sentences; nothing, if it can be used by everybody.
(() => {
  const faults = [];
  const say = (fault, element) => faults.push(`${fault}: ${element.outerHTML.slice(0, 120)}`);
  const visible = (element) => element.getClientRects().length > 0 && getComputedStyle(element).clipPath === "none"
    && element.getBoundingClientRect().right > 0;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(visible);

  if (!document.documentElement.lang) faults.push("the page has no language");
  if (document.querySelectorAll("h1").length !== 1) faults.push("the page has not one h1");
  if (!document.querySelector("main")) faults.push("the page has no main part");
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
    const wide = all("main *, header *").filter((it) => it.getBoundingClientRect().right > innerWidth + 1);
    faults.push(`the page is wider than its window: ${wide.slice(-1).map((it) => it.outerHTML.slice(0, 200))}`);
  }
  for (const input of all("input:not([type=hidden]), select, textarea")) {
    if (!input.labels.length && !input.ariaLabel) say("a field has no label", input);
  }
  for (const control of all("button, .button, nav a, input:not([type=hidden]), select")) {
    const { height, width } = control.getBoundingClientRect();
    if (height < 24 || width < 24) say(`too small to be touched (${width} by ${height})`, control);
    if (!(control.innerText || control.labels?.length || control.ariaLabel)) say("a control has no name", control);
  }
  let level = 1;
  for (const heading of all("h1, h2, h3, h4")) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) say("a heading leaves out a level", heading);
    level = next;
  }

  // WCAG 2.2, 1.4.3.
  const light = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const { backgroundColor } = getComputedStyle(it);
      if (!/^rgba\(.*, 0\)$/.test(backgroundColor)) return backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of all("body *")) {
    const says = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!says) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(paper(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) say(`text cannot be told from its paper (${contrast.toFixed(1)} : 1)`, element);
  }

  for (const { name } of performance.getEntriesByType("resource")) {
    if (!name.startsWith(location.origin) && !name.startsWith("data:")) faults.push(`loaded from elsewhere: ${name}`);
  }
  return faults;
})()
