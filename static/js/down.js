/* down.js - the page that nginx shows while no Weir answers: asks until one does,
 * then loads what was wanted. */
const EVERY_MS = 2000;

async function ask() {
  try {
    if ((await fetch("/healthz", { cache: "no-store" })).ok) return location.reload();
  } catch { /* nginx is away as well */ }
  setTimeout(ask, EVERY_MS);
}
setTimeout(ask, EVERY_MS);
