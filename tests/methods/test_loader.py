"""A method is found by catalogue name, recipe path, file, module and entry point; a broken one says why."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from geobench.catalog import find_recipe_path, recipe_names
from geobench.errors import GeobenchError, InputError, UsageError
from geobench.features.weights import Weights
from geobench.methods.loader import load_method, method_names
from geobench.typed_toml import read_toml

PLUGIN = Path(__file__).parents[1] / "plugin"
GOOD = """
class Mine:
    name = "My Method!"
    title = "Mine"
    def describe(self, picture):
        return None
    def match(self, source, target, points):
        return points
"""


def write(folder: Path, text: str, name: str = "mine.py") -> str:
    (folder / name).write_text(text)
    return f"{folder / name}:Mine"


def _features(name):
    return read_toml(find_recipe_path(name)).get("features", ())


@pytest.mark.parametrize("name", recipe_names())
def test_every_catalogue_name_loads(name):
    networks = any("extractor" in group and group["extractor"] != "dense-sift" for group in _features(name))
    loaded = load_method(name, weights=Weights(random="tiny") if networks else None)
    assert loaded.random_weights == networks
    assert loaded.name == loaded.origin == name
    assert loaded.title
    assert loaded.setting
    assert json.loads(json.dumps(loaded.recipe)) == loaded.recipe


def test_a_file_and_class(tmp_path):
    spec = write(tmp_path, GOOD)
    loaded = load_method(spec)
    assert (loaded.name, loaded.title, loaded.setting, loaded.origin) == ("my-method", "Mine", "", spec)
    assert loaded.source_sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert loaded.recipe == {}


def test_a_file_may_import_its_neighbour(tmp_path):
    (tmp_path / "mine_neighbour.py").write_text(GOOD)
    assert load_method(write(tmp_path, "from mine_neighbour import Mine")).title == "Mine"


def test_an_edited_file_is_read_again(tmp_path):
    load_method(write(tmp_path, GOOD))
    assert load_method(write(tmp_path, GOOD.replace('"Mine"', '"Other"'))).title == "Other"


def test_a_module_and_class():
    loaded = load_method("geobench.methods.sanity:Random")
    assert loaded.name == "random"
    assert len(loaded.source_sha256 or "") == 64


def test_a_module_in_the_working_folder(tmp_path, monkeypatch):
    write(tmp_path, GOOD, "module_in_working_folder.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_method("module_in_working_folder:Mine").title == "Mine"


def test_a_recipe_path(tmp_path):
    write(tmp_path, GOOD)
    recipe = tmp_path / "row.toml"
    recipe.write_text('title = "Row"\nmethod = "mine.py:Mine"\n')
    loaded = load_method(str(recipe))
    assert (loaded.name, loaded.title, loaded.origin) == ("row", "Row", str(recipe))


def test_the_device_reaches_the_constructor(tmp_path):
    spec = write(tmp_path, GOOD + "\n    def __init__(self, device='cpu'):\n        self.where = device\n")
    assert load_method(spec, device="cpu:0").method.where == "cpu:0"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install the plug-in under tests/plugin as a user would, but into a folder of its own and offline."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "plugin"
    source.mkdir()
    for path in PLUGIN.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / path.relative_to(PLUGIN)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--disable-pip-version-check", "--target", folder, source], check=True)
    return folder


def run_python(code: str, path: Path) -> str:
    python_path = os.pathsep.join([str(path), str(PLUGIN.parents[1])])
    environment = os.environ | {"PYTHONPATH": python_path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_an_installed_plug_in_is_found_by_name(installed):
    code = (
        "from geobench.methods.loader import load_method, method_names\n"
        "m = load_method('box-centre'); print(m.name, m.title, m.origin, len(m.source_sha256), sep='|')\n"
        "print('box-centre' in method_names())"
    )
    assert run_python(code, installed).split("\n")[:2] == ["box-centre|Centre of the box|box-centre|64", "True"]
    assert "box-centre" not in method_names()


def test_a_misspelt_plug_in_is_suggested(installed):
    code = (
        "from geobench.methods.loader import load_method\n"
        "try: load_method('box-center')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert run_python(code, installed).strip() == ("UsageError unknown method 'box-center'; did you mean box-centre?")


def test_loading_a_sanity_baseline_does_not_load_torch():
    code = "import sys, geobench.methods.loader as m; m.load_method('oracle'); print('torch' in sys.modules)"
    assert run_python(code, PLUGIN).strip() == "False"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("dense-sfit", r"unknown method 'dense-sfit'; did you mean dense-sift"),
        ("geobench.methods.sanity:Orakle", r"geobench\.methods\.sanity has no class 'Orakle'; did you mean Oracle\?"),
        ("no_such_package.mod:X", r"unknown method .*there is no module 'no_such_package'; install it"),
        ("nowhere/mine.py:Mine", r"there is no file nowhere/mine\.py"),
        ("nowhere/mine.py", r"name the class as well, as in nowhere/mine\.py:MyMethod"),
        ("nowhere/row.toml", r"there is no recipe nowhere/row\.toml"),
    ],
)
def test_an_unknown_method_is_wrong_usage(spec, sentence):
    with pytest.raises(UsageError, match=sentence):
        load_method(spec)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import no_such_library", r"mine\.py: cannot be imported: line 1: ModuleNotFoundError: .*no_such_library"),
        ("\n\nx = 1 +", r"mine\.py: cannot be imported: line 3: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)", r"cannot be imported: line 2: SystemExit: 3"),
        ("Mine = 3", r"names 3, which is not a class"),
        (GOOD.replace('name = "My Method!"', ""), r'has no name; add name = "…" to the class'),
        (GOOD.replace("describe", "describes"), r"has no method describe\(picture\); add it"),
        (GOOD.replace("def match", "def Match"), r"has no method match\(source, target, points\); add it"),
        (GOOD.replace(", points)", ")"), r"match cannot be called as match\(source, target, points\)"),
        (GOOD.replace("title", "knows_truth"), r"match cannot be called as match\(source, target, points, truth\)"),
        (GOOD + "    def __init__(self, net): pass", r"its constructor needs net; give every argument a default"),
        (GOOD + "    def __init__(self): raise OSError('no weights')", r"its constructor failed: OSError: no weights"),
    ],
)
def test_a_broken_plug_in_gives_one_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        load_method(write(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_misspelt_class_suggests_the_classes_of_the_file(tmp_path):
    with pytest.raises(UsageError, match=r"has no class 'Mien'; did you mean Mine\?"):
        load_method(write(tmp_path, GOOD).replace(":Mine", ":Mien"))


def test_a_failed_import_can_be_mended_and_tried_again(tmp_path):
    with pytest.raises(GeobenchError):
        load_method(write(tmp_path, "raise ValueError"))
    assert load_method(write(tmp_path, GOOD)).title == "Mine"


def test_the_documented_example_runs(tmp_path, tiny):
    text = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    (tmp_path / "my_method.py").write_text(code)
    loaded = load_method(f"{tmp_path / 'my_method.py'}:TopLeft")
    source, target = (loaded.method.describe(tiny.picture(row)) for row in (0, 2))
    points = tiny.instances.keypoints[0]
    assert (loaded.predict(source, target, points) == points * 0.5).all()


def test_the_documented_recipes_load(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()
    (tmp_path / "my_method.py").write_text(re.search(r"```python\n(.*?)```", text, re.S).group(1))
    recipes = re.findall(r"```toml\n(title .*?)```", text, re.S)
    assert len(recipes) == 2
    for number, recipe in enumerate(recipes):
        path = tmp_path / f"row{number}.toml"
        path.write_text(recipe)
        assert load_method(str(path)).name == f"row{number}"
