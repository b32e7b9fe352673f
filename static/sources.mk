# static: what the browser loads; vendored packages are copied here by the build
