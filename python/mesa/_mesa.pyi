"""The compiled part; use `mesa` instead."""

from typing import Any

class MesaError(Exception):
    diagnostics: list[dict[str, Any]]

class Spec:
    def __new__(
        cls,
        name: str,
        text: str | None = None,
        imports: list[tuple[str, str, str, str]] = ...,
    ) -> "Spec": ...
    def parts(self) -> tuple[str, str, list[tuple[str, str, str, str]]]: ...
    def scenarios(self) -> list[str]: ...
    def check(self) -> list[dict[str, Any]]: ...

class Scenario:
    def __new__(cls, spec: Spec, name: str) -> "Scenario": ...
    def headline(self) -> list[str]: ...
    def result(self, settings: list[tuple[str, str]]) -> dict[str, Any]: ...
    def settable(self) -> list[dict[str, Any]]: ...
    def evaluate(
        self,
        columns: list[tuple[str, Any, list[str] | None]],
        rows: int,
        results: list[tuple[str, Any]],
        reasons: Any,
    ) -> list[str]: ...

__version__: str
