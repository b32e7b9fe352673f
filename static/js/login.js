/* login.js - signing in: with the one-time link's code, which stands behind the #
 * so that it reaches no log, or with a token typed or pasted. */
import { ApiError, send } from "./api.js";
import { byId } from "./dom.js";
import "./keys.js";

const next = new URLSearchParams(location.search).get("next") ?? "";
const target = /^\/app\/[\w/.?=&-]*$/.test(next) ? next : "/app/";

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = false;
}

let over = 0;                 /* the wait after too many wrong passwords */

/* `field` is where to correct what was refused. */
async function enter(proof, wrong, field) {
  clearTimeout(over);
  byId("enter").disabled = true;
  try {
    await send("POST", "/app/login", proof);
    location.replace(target);
  } catch (e) {
    problem(e instanceof ApiError && e.status === 401 ? wrong : e.message);
    if (e.error?.retry_after_ms > 0) over = setTimeout(() => problem("You can try again now."), e.error.retry_after_ms);
    byId("enter").disabled = false;
    field.focus();
  }
}

const code = location.hash.slice(1);
if (code) {
  history.replaceState(null, "", location.pathname + location.search);
  enter({ code }, "This sign-in link was used already or is too old. Start Weir again for a new one, or use a token.", byId("token"));
}

byId("go-on")?.setAttribute("href", target);

byId("login").addEventListener("submit", (e) => {
  e.preventDefault();
  const token = byId("token").value.trim();
  if (token) enter({ token }, "This token is not known here, or it has expired.", byId("token"));
});

byId("by-name").addEventListener("submit", (e) => {
  e.preventDefault();
  enter({ name: byId("name").value.trim(), password: byId("password").value }, "Name or password is wrong.", byId("password"));
});
