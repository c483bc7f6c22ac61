import os

import pytest

from zerfoo_jax.checkpoint.faults import DamagedError
from zerfoo_jax.checkpoint.files import free_name, make_folder, remove, walk_files, write_whole


def test_write_whole_replaces_and_leaves_nothing_behind(tmp_path):
    for text in ("10\n", "20\n"):
        write_whole(tmp_path / "LATEST", text)
    assert (tmp_path / "LATEST").read_text() == "20\n" and os.listdir(tmp_path) == ["LATEST"]


def test_free_name_counts_up_and_sees_dangling_links(tmp_path):
    assert free_name(tmp_path / "7.damaged").name == "7.damaged"
    (tmp_path / "7.damaged").mkdir()
    (tmp_path / "7.damaged-2").symlink_to("nowhere")
    assert free_name(tmp_path / "7.damaged").name == "7.damaged-3"


def test_walk_files_gives_relative_paths_and_sizes(tmp_path):
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "x").write_bytes(b"123")
    (tmp_path / "y").write_bytes(b"")
    assert sorted(walk_files(tmp_path)) == [("a/b/x", 3), ("y", 0)]


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "pipe"])
def test_walk_files_refuses_what_is_neither_file_nor_folder(tmp_path, kind):
    inside = tmp_path / "inside"
    inside.mkdir()
    if kind == "pipe":
        os.mkfifo(inside / "x")
    else:
        (inside / "x").symlink_to(tmp_path if kind == "link to a folder" else __file__)
    with pytest.raises(DamagedError, match="'x' is neither"):
        list(walk_files(inside))


def test_remove_takes_a_link_and_not_what_it_points_to(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    remove(tmp_path / "link")
    assert os.listdir(tmp_path) == ["folder"]
    remove(tmp_path / "folder")
    remove(tmp_path / "never there")
    assert os.listdir(tmp_path) == []
