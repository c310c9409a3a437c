"""Which parts a new project gets."""

from authkit.new.choices import Ask
from authkit.template.parts import Parts
from authkit.terminal.errors import UsageError

NONE = "none"


def choose_parts(
    parts: Parts, wanted: str | None, unwanted: str | None, ask: Ask
) -> tuple[str, ...]:
    """The default ones with those that were named, without those; asked where none were."""
    if wanted is None and unwanted is None:
        if not parts.known:
            return ()
        question = f"Which parts, of {', '.join(parts.known)}? (a comma between, or {NONE})"
        answer = ask(question, (), ",".join(parts.default) or NONE)
        chosen = [] if answer.strip() == NONE else names_in(answer)
        parts.require(chosen)
        return parts.in_order(chosen)
    more, less = names_in(wanted or ""), names_in(unwanted or "")
    parts.require([*more, *less])
    for name in more:
        if name in less:
            raise UsageError(f"{name} is named with --with and --without", "name it once")
    return parts.in_order({*parts.default, *more} - {*less})


def names_in(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
