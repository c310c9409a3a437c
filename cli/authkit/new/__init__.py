"""`authkit new`: from a name and two choices to a project that answers, or to nothing at all.

`plan` turns what was asked for into a `Plan`, `build` carries it out beside the target and puts
the result in its place.
"""
