"""What the class of a file owes the base class of its folder (`heads/ridge.py` owes `Head`).

It is checked when a recipe names the file: an outdated class is refused by name, instead of
failing in the middle of a run. Nothing is called, and nothing is imported for it.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any

METRIC_METHODS = {"_info": (), "_compute": ("predictions", "references")}
# what a metric may take instead of predictions, by the name that `evaluate`'s roc_auc has for it
SCORES = "prediction_scores"


def problems(kind: Any, base: type) -> Iterator[str]:
    """Describe each way in which `kind`, the class of a file, breaks the contract of `base`.

    A base's method that only raises NotImplementedError is required, and so is an attribute that
    it declares without a value. An override takes every call that the base's method takes. What
    derives from another base in the same file owes that one, too.
    """
    if kind is None:
        yield "is not in the file"
        return
    if not (isinstance(kind, type) and issubclass(kind, base)):
        yield f"is no subclass of {base.__module__}.{base.__name__}"
        return
    base = next(cls for cls in kind.__mro__ if cls.__module__ == base.__module__)
    for name in sorted(getattr(base, "__class_vars__", ())):
        if not hasattr(kind, name):
            yield f"does not set '{name}', as every {base.__name__} must"
    for name, member in _members(base):
        override = inspect.getattr_static(kind, name)
        if override is member:
            if _is_required(member):
                yield f"does not define {_shown(name, member)}, as every {base.__name__} must"
        elif wrong := _mismatch(name, override, member):
            yield f"{wrong}, as in {base.__name__}"


def metric_problems(tree: ast.Module, name: str) -> Iterator[str]:
    """Describe what the file of a metric lacks; importing it would import `evaluate`."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    metric = next((node for node in classes if node.name == name), None)
    if metric is None:
        yield "is not in the file"
        return
    if "evaluate.Metric" not in map(ast.unparse, metric.bases):
        yield "is no direct subclass of evaluate.Metric"
    functions = [n for n in metric.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    methods = {node.name: node for node in functions}
    for method, arguments in METRIC_METHODS.items():
        expected = f"{method}({', '.join(('self', *arguments))})"
        if method not in methods:
            yield f"does not define {expected}, as every metric must"
        elif isinstance(methods[method], ast.AsyncFunctionDef):
            yield f"has `async def {method}`; expected `def`: nothing awaits it"
        elif not {*arguments} <= _inputs(methods[method].args):
            has = f"{method}({ast.unparse(methods[method].args)})"
            yield f"has {has}; expected {expected} and options"


def _inputs(arguments: ast.arguments) -> set[str]:
    """Return the names of arguments; scores count as predictions."""
    names = {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)}
    return names | ({"predictions"} if SCORES in names else set())


def _members(base: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods and properties that `base` has from classes of Graft."""
    ours = [cls for cls in base.__mro__ if cls.__module__.startswith("pipelines.")]
    for name in dict.fromkeys(name for cls in ours for name in vars(cls)):
        member = inspect.getattr_static(base, name)
        if not name.startswith("_") and isinstance(member, FunctionType | property):
            yield name, member


def _is_required(member: Any) -> bool:
    """Return whether the body does nothing but raise NotImplementedError."""
    function = getattr(member, "fget", member)  # of a property
    return function.__code__.co_names == ("NotImplementedError",)


def _mismatch(name: str, override: Any, member: Any) -> str | None:
    """Describe what is wrong with an override; a property may become a class attribute."""
    if _is_async(override) and not _is_async(member):
        return f"has `async def {name}`; expected `def`: nothing awaits it"
    if isinstance(member, property):
        fits = not isinstance(override, FunctionType)
        return None if fits else f"has a method {name}(); expected a property"
    if not isinstance(override, FunctionType):
        return f"has '{name}', which is no method; expected {_shown(name, member)}"
    if _takes_every_call(inspect.signature(override), inspect.signature(member)):
        return None
    return f"has {_shown(name, override)}; expected {_shown(name, member)}"


def _is_async(member: Any) -> bool:
    function = getattr(member, "fget", member)  # of a property
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _takes_every_call(signature: inspect.Signature, base: inspect.Signature) -> bool:
    """Return whether arguments that fit `base` fit `signature`, by position and by name."""
    parameters = base.parameters.values()
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    options = dict.fromkeys(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        options["any other"] = None
    try:
        by_position = signature.bind(*names, **options)
        signature.bind(**dict.fromkeys(names), **options)
    except TypeError:
        return False
    return all(by_position.arguments.get(name, name) == name for name in names)  # or in *args


def _shown(name: str, member: Any) -> str:
    """Write a member as in `solve(self, problem)`, a property by its name."""
    if isinstance(member, property | cached_property):
        return f"the property '{name}'"
    signature = inspect.signature(member)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return f"{name}{inspect.Signature(bare)}"
