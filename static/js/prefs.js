/* prefs.js - what this person chose. The theme, the metrics line, the time zone
 * and the columns left out live in cookies, so that the server writes them into the first byte of the page;
 * the rest stays in this browser. */
const YEAR = 365 * 24 * 3600;

export function cookie(name) {
  return document.cookie.split("; ").find((c) => c.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

export function setCookie(name, value) {
  document.cookie = `${name}=${value}; Path=/; SameSite=Lax; Max-Age=${value ? YEAR : 0}`;
}

/* "light", "dark", or "" for what the system says. */
export function setTheme(theme) {
  setCookie("weir_theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new Event("weir:theme"));
}

export function isZone(name) {
  try { return Boolean(new Intl.DateTimeFormat("en", { timeZone: name })); } catch { return false; }
}

/* The chosen time zone; undefined for this browser's. */
export function zone() {
  const name = cookie("weir_tz");
  return name && isZone(name) ? name : undefined;
}

export function dark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/* Storage can be refused (private windows, full disks); then nothing is remembered. */
export function remember(key, value) {
  try {
    if (value === null || value === "") localStorage.removeItem(`weir.${key}`);
    else localStorage.setItem(`weir.${key}`, value);
  } catch { /* not remembered */ }
}

export function recall(key) {
  try { return localStorage.getItem(`weir.${key}`) ?? ""; } catch { return ""; }
}
