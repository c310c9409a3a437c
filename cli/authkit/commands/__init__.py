"""One file per command, or a folder of subcommands: options, one call, the result on the screen."""
