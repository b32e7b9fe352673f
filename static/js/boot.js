/* boot.js - what the server put into the page for its scripts: user, csrf_token,
 * session_id, and whatever a page adds. Read once, never changed. */
export const boot = Object.freeze(JSON.parse(document.getElementById("boot")?.textContent || "{}"));
