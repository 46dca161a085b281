"""The prompt that a category gets."""

from __future__ import annotations

from string import Formatter

from pydantic import field_validator

from geobench.errors import InputError
from geobench.features.network import NetworkSettings
from geobench.picture import Picture


class PromptSettings(NetworkSettings):
    """Settings of extractors that are told what an image shows.

    Attributes:
        prompt: for every category; ``{category}`` stands for its name as the benchmark has it. Without it every image
            gets the same prompt, as in a table without class names.
        prompts: prompts of their own for some categories, by name.
    """

    prompt: str = "a photo of a {category}"
    prompts: dict[str, str] = {}

    @field_validator("prompt")
    @classmethod
    def _known_fields(cls, prompt: str) -> str:
        try:
            fields = {name for _, name, _, _ in Formatter().parse(prompt) if name is not None}
        except ValueError as error:
            raise ValueError(f"is not a template ({error}); write {{category}} where its name shall stand") from error
        if fields - {"category"}:
            raise ValueError(f"has the unknown field {sorted(fields - {'category'})[0]!r}; only {{category}} is known")
        return prompt

    def prompt_for(self, picture: Picture) -> str:
        """Return the prompt for a picture.

        Raises:
            InputError: the prompt needs the picture's category, and it has none.
        """
        if picture.category in self.prompts:
            return self.prompts[picture.category]
        if "{category}" in self.prompt and not picture.category.strip():
            raise InputError(
                f"{picture.path}: has no category to put into the prompt {self.prompt!r}; set a prompt without "
                "{category} in the recipe, or give the image a category"
            )
        return self.prompt.format(category=picture.category)
