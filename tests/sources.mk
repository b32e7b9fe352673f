# the provider stand-in and the lints
