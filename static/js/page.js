/* page.js - a page of Weir as a document: a dashboard takes over the server's own panels. */
import { unreachable } from "./api.js";

/* The one at `path`; it runs no script and loads nothing. */
export function page(path) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const broken = (status) => reject(unreachable(undefined, status));
    request.open("GET", path);
    request.responseType = "document";
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : broken(request.status));
    request.onerror = () => broken(0);
    request.send();
  });
}
