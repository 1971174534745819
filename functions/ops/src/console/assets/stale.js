// Says so when a page could not be looked at again: htmx leaves it as it was, without a word.
"use strict";

const line = document.querySelector("#stale");
let seen = new Date();

const say = (words) => {
  // What is written again is read out again.
  if (line && line.textContent !== words) line.textContent = words;
};

for (const failure of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, () => {
    const since = seen.toISOString().slice(0, 19).replace("T", " ");
    say(`Not looked at again since ${since} UTC: what is shown may be old.`);
  });
}

document.addEventListener("htmx:afterSwap", () => {
  seen = new Date();
  say("");
});
