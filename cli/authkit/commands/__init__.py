"""One file per command: options, one call, the result on the screen."""
