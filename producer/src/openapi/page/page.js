const open = () => {
  const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (at && at.tagName === "DETAILS") at.open = true;
};
addEventListener("hashchange", open);
open();
document.getElementById("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  const fits = (text) => words.every((word) => text.toLowerCase().includes(word));
  for (const call of document.querySelectorAll("details.call, details.shape")) {
    call.hidden = !fits(call.querySelector("summary").textContent);
  }
  for (const link of document.querySelectorAll("nav li")) link.hidden = !fits(link.textContent);
});
