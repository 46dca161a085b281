"""geobench download against a server that breaks off, damages files and refuses ranges."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from geobench.builders.download import SHA256_FILE, download
from geobench.builders.transfer import ATTEMPTS, fetch
from geobench.builders.unpack import unpack
from geobench.card import Card, Source
from geobench.catalog import card_names, find_card
from geobench.cli import cli, run
from geobench.errors import GeobenchError, InputError
from tests.builders.web import Site, serving

BODY = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(BODY).hexdigest()


def _quiet(done: int, total: int) -> None: ...


def _fetch(url: str, path: Path, sha256: str | None = None) -> None:
    fetch(url, path, sha256, _quiet, wait=0.01)


def _card(*sources: Source) -> Card:
    fields = {"name": "toy", "title": "Toy", "version": 1, "builder": "x", "threshold": "bbox"}
    return Card(**fields, licence="CC0", citation="none", sources=sources)


def _zip(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as pack:
        for name, content in members.items():
            pack.writestr(name, content)
    return packed.getvalue()


def test_a_connection_that_breaks_is_gone_on_with(tmp_path: Path) -> None:
    site = Site({"/a": BODY}, break_after=[1000, 5000])
    with serving(site) as address:
        _fetch(f"{address}/a", tmp_path / "a", DIGEST)
    assert (tmp_path / "a").read_bytes() == BODY
    assert site.asked == [None, "bytes=1000-", "bytes=6000-"]


def test_a_server_without_ranges_sends_all_of_it_again(tmp_path: Path) -> None:
    site = Site({"/a": BODY}, break_after=[1000], ranges=False)
    with serving(site) as address:
        _fetch(f"{address}/a", tmp_path / "a", DIGEST)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_run_that_gave_up_keeps_what_arrived_for_the_next(tmp_path: Path) -> None:
    site = Site({"/a": BODY}, break_after=[100] * ATTEMPTS)
    with serving(site) as address:
        with pytest.raises(GeobenchError, match=rf"{100 * ATTEMPTS} bytes are kept in .*a\.part; run the same"):
            _fetch(f"{address}/a", tmp_path / "a", DIGEST)
        assert not (tmp_path / "a").exists()
        _fetch(f"{address}/a", tmp_path / "a", DIGEST)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_file_that_had_arrived_whole_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(BODY)
    with serving(Site({"/a": BODY})) as address:
        _fetch(f"{address}/a", tmp_path / "a", DIGEST)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_damaged_file_is_refused_and_the_next_try_begins_anew(tmp_path: Path) -> None:
    site = Site({"/a": b"x" + BODY[1:]})
    with serving(site) as address:
        with pytest.raises(InputError, match=rf"/a: has SHA-256 [0-9a-f]{{64}}, it should be {DIGEST}"):
            _fetch(f"{address}/a", tmp_path / "a", DIGEST)
        assert list(tmp_path.iterdir()) == []
        site.files["/a"] = BODY
        _fetch(f"{address}/a", tmp_path / "a", DIGEST)
    assert site.asked == [None, None]


def test_what_the_server_refuses_is_one_sentence(tmp_path: Path) -> None:
    with serving(Site({})) as address, pytest.raises(InputError, match="the server answers 404"):
        _fetch(f"{address}/a", tmp_path / "a")
    with pytest.raises(InputError, match="not an http"):
        _fetch("file:///etc/passwd", tmp_path / "a")


def test_an_archive_is_fetched_checked_and_unpacked_once(tmp_path: Path) -> None:
    packed = _zip(**{"toy/images/1.txt": b"one", "toy/list.txt": b"1"})
    site = Site({"/toy.zip": packed})
    with serving(site) as address:
        digest = hashlib.sha256(packed).hexdigest()
        card = _card(Source(what="all", url=f"{address}/toy.zip", sha256=digest, file="toy.zip", unpack="."))
        assert "SHA-256 as published" in download(card, tmp_path)[0]
        assert (tmp_path / "toy" / "images" / "1.txt").read_bytes() == b"one"
        (tmp_path / "toy" / "list.txt").write_text("mine")
        download(card, tmp_path)
    assert (tmp_path / "toy" / "list.txt").read_text() == "mine"
    assert len(site.asked) == 1


def test_a_hash_nobody_published_is_written_down_and_held_to(tmp_path: Path) -> None:
    with serving(Site({"/a.bin": BODY})) as address:
        card = _card(Source(what="all", url=f"{address}/a.bin", file="a.bin"))
        assert "no SHA-256 is published" in download(card, tmp_path)[0]
    assert DIGEST in (tmp_path / "archives" / SHA256_FILE).read_text()
    (tmp_path / "archives" / "a.bin").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"remove .*a\.bin if it is still there, and run the download again"):
        download(card, tmp_path, offline=True)


def test_offline_opens_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    card = _card(Source(what="all", url="http://127.0.0.1:9/toy.zip", file="toy.zip", unpack="raw"))
    with pytest.raises(InputError, match=r"toy\.zip: not there, and --offline opens no connection"):
        download(card, tmp_path, offline=True)
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "toy.zip").write_bytes(_zip(**{"1.txt": b"one"}))
    download(card, tmp_path, offline=True)
    assert (tmp_path / "raw" / "1.txt").read_bytes() == b"one"


def _tar(name: str, link: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        if link:
            member.type, member.linkname = tarfile.SYMTYPE, link
        tar.addfile(member, io.BytesIO(b""))
    return packed.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        _zip(**{"../evil": b"x"}),
        _zip(**{"/evil": b"x"}),
        _zip(**{"..\\evil": b"x"}),
        _tar("../evil"),
        _tar("a", "/etc"),
    ],
    ids=["zip up", "zip absolute", "zip backslash", "tar up", "tar link"],
)
def test_nothing_lands_outside_the_folder(tmp_path: Path, packed: bytes) -> None:
    archive = tmp_path / "a"
    archive.write_bytes(packed)
    with pytest.raises(InputError, match="nothing was unpacked"):
        unpack(archive, tmp_path / "in" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "in", "out"]


@pytest.mark.parametrize(
    "packed",
    [b"no archive", _tar("a" * 90)[:-40], _zip(**{"1": bytes(10_000)})[:-30]],
    ids=["none", "cut tar", "cut zip"],
)
def test_a_damaged_archive_is_one_sentence_and_leaves_nothing(tmp_path: Path, packed: bytes) -> None:
    with serving(Site({"/a": packed})) as address:
        card = _card(Source(what="all", url=f"{address}/a", file="a", unpack="raw"))
        with pytest.raises(InputError, match="archive"):
            download(card, tmp_path)
    assert not (tmp_path / "raw").exists()
    assert sorted(path.name for path in (tmp_path / "archives").iterdir()) == [SHA256_FILE, "a"]


def test_a_card_whose_files_need_a_person_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["download", "ap10k", "--to", str(tmp_path)]) == 1
    assert "must be fetched by hand" in capsys.readouterr().err


def test_the_verb_prints_licence_and_place(tmp_path: Path) -> None:
    with serving(Site({"/a.bin": BODY})) as address:
        card = tmp_path / "card.toml"
        card.write_text(
            'name = "toy"\ntitle = "Toy"\nversion = 1\nbuilder = "x"\nthreshold = "bbox"\nlicence = "CC0"\n'
            f'citation = "none"\n[[sources]]\nwhat = "all"\nurl = "{address}/a.bin"\nfile = "a.bin"\n'
        )
        shown = CliRunner().invoke(cli, ["download", str(card), "--to", str(tmp_path / "raw")])
    assert shown.exit_code == 0
    assert "licence CC0" in shown.output
    assert (tmp_path / "raw" / "archives" / "a.bin").read_bytes() == BODY


def test_the_embedded_benchmark_needs_no_download(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to fetch"):
        download(find_card("quadrupeds"), tmp_path)


@pytest.mark.parametrize("name", card_names())
def test_every_place_of_a_card_is_of_the_web(name: str) -> None:
    for source in find_card(name).sources:
        assert source.url.startswith(("https://", "http://"))
