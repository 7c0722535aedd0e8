"""What a file of each format holds, as clients write it; and what is refused, with the line where it is wrong."""

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmusic_kit.ids import new_id
from openmusic_playlist.imports.errors import FileInvalid, FormatUnknown
from openmusic_playlist.imports.formats.reading import FORMATS, format_of, read_file
from openmusic_playlist.imports.models import MAX_ROWS, FileRow, Texts

SONG = "song-0123456789abcdef0123456789abcdef"
LOST = Texts("Lost!", "Coldplay")
EXPORTIFY = (
    '"Track URI","Track Name","Album Name","Artist Name(s)","Release Date","Duration (ms)","Popularity","Added By"\n'
    '"spotify:track:1","Lost!","Viva la Vida","Coldplay;JAY-Z","2008","233000","61",""\n'
)
TUNE_MY_MUSIC = (
    "Track name,Artist name,Album,Playlist name,Type,ISRC,Spotify - id\r\nLost!,Coldplay,Viva,Mine,Playlist,,1"
)
SOUNDIIZ = '"title";"artist";"album";"isrc"\n"Lost!";"Coldplay";"Viva";""\n'


def read(content: str | bytes, file_format: str) -> list[FileRow]:
    return read_file(content.encode() if isinstance(content, str) else content, file_format).rows


def problem(content: str | bytes, file_format: str) -> str:
    with pytest.raises(FileInvalid) as raised:
        read(content, file_format)
    prefix, _, told = raised.value.message.partition(": ")
    assert prefix == FileInvalid.message
    assert "\n" not in told
    return told


@pytest.mark.parametrize("content", [TUNE_MY_MUSIC, SOUNDIIZ, "TITLE\tArtist\nLost!\tColdplay\n"])
def test_columns_are_known_by_their_headers_and_any_delimiter(content: str) -> None:
    assert read(content, "csv") == [FileRow("", (LOST,))]


def test_the_first_of_several_performers_is_the_second_guess() -> None:
    assert read(EXPORTIFY, "csv") == [FileRow("", (Texts("Lost!", "Coldplay;JAY-Z"), LOST))]
    (row,) = read('title,artist\nSeptember,"Earth, Wind & Fire"\n', "csv")
    assert row.readings == (Texts("September", "Earth, Wind & Fire"), Texts("September", "Earth"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_what_spreadsheets_write_is_read(encoding: str, line_end: str) -> None:
    lines = ["sep=;", "id;title;performer", f'{SONG};"Ünter; ""Quotes""";Ä', "", ";東京;B"]
    rows = read(line_end.join(lines).encode(encoding), "csv")
    assert rows == [FileRow(SONG, (Texts('Ünter; "Quotes"', "Ä"),)), FileRow("", (Texts("東京", "B"),))]


def test_big_endian_utf_16_is_known_by_its_mark() -> None:
    assert read(codecs.BOM_UTF16_BE + SOUNDIIZ.encode("utf-16-be"), "csv") == [FileRow("", (LOST,))]


def test_an_id_may_be_bare_or_a_urn_and_an_id_of_others_is_none() -> None:
    rows = read(f"id,title\n{SONG},a\nurn:openmusic:{SONG},b\nspotify:track:1,c\nsong-x,d\n", "csv")
    assert [row.song_id for row in rows] == [SONG, SONG, "", ""]


def test_m3u8_may_have_the_dash_anywhere() -> None:
    lines = ["#EXTM3U", "#PLAYLIST:Mine: 1", "#EXTINF:-1,AC - DC - Jailbreak", "/music/1.mp3", "# x", ""]
    file = read_file("\r\n".join([*lines, f"urn:openmusic:{SONG}"]).encode(), "m3u8")
    assert file.name == "Mine: 1"
    readings = (Texts("DC - Jailbreak", "AC"), Texts("Jailbreak", "AC - DC"))
    assert file.rows == [FileRow("", readings), FileRow(SONG, (Texts("", ""),))]


def test_xspf_of_other_programs_is_read() -> None:
    content = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
    <playlist version="1" xmlns="http://xspf.org/ns/0/" xmlns:x="http://x">
    <title>M\xfcsic &amp; more</title><x:title>No</x:title>
    <trackList><track><location>file:///1.mp3</location><title>Lost!</title><creator>Coldplay</creator>
    <extension application="x"><title>No</title></extension></track>
    <track><identifier>other:1</identifier><identifier>urn:openmusic:{SONG}</identifier></track></trackList></playlist>"""
    file = read_file(content.encode("latin-1"), "xspf")
    assert file.name == "Müsic & more"
    assert file.rows == [FileRow("", (LOST,)), FileRow(SONG, (Texts("", ""),))]


def test_jspf_has_one_identifier_or_several() -> None:
    tracks = [{"title": "Lost!", "creator": "Coldplay", "duration": 1}, {"identifier": ["x", f"urn:openmusic:{SONG}"]}]
    tracks.append({"identifier": SONG})
    file = read_file(json.dumps({"playlist": {"title": "Mine", "track": tracks}}).encode(), "jspf")
    assert (file.name, [row.song_id for row in file.rows]) == ("Mine", ["", SONG, SONG])
    assert read('{"playlist": {"title": "Empty"}}', "jspf") == []


@pytest.mark.parametrize("content", [b"PK\x03\x04zip", b"\x1f\x8bgzip", b"\x28\xb5\x2f\xfdzstd"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_compressed_files_are_refused(file_format: str, content: bytes) -> None:
    assert problem(content, file_format) == "line 1: it is compressed; send the file that is inside"


@pytest.mark.parametrize(
    ("file_format", "before", "line"),
    [("csv", b"title\r\na\rb\n", 4), ("m3u8", b"#EXTM3U\n", 2), ("json", b'{\n"playlist":\n"', 3), ("jspf", b"", 1)],
)
def test_other_encodings_and_nul_are_refused_with_their_line(file_format: str, before: bytes, line: int) -> None:
    told = problem(before + b"M\xfcsic", file_format)
    assert told == f"line {line}: it is neither UTF-8 nor UTF-16 with a byte order mark"
    assert problem(before + b"a\0b", file_format) == f"line {line}: it has a NUL character"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "line 1: no column is known"),
        ("a,b\n1,2\n", "line 1: no column is known"),
        ("sep=;\na;b\n", "line 2: no column is known"),
        ('title,artist\nok,ok\n"open,b\n', "line 3: unexpected end of data"),
        ('title,artist\n"a"b,c\n', "line 2: ',' expected after"),
        ("title\n" + "x" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_csv_that_is_wrong_is_refused(content: str, expected: str) -> None:
    assert problem(content, "csv").startswith(expected)


@pytest.mark.parametrize("content", ["", "x\n", "\n#EXTM3U\n", "<html>"])
def test_m3u8_without_its_first_line_is_refused(content: str) -> None:
    assert problem(content, "m3u8") == "line 1: must be #EXTM3U"


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>
<playlist><title>&b;&c;</title></playlist>"""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BOMB, "line 2: a document type is not allowed"),
        ('<!DOCTYPE playlist SYSTEM "http://127.0.0.1/x">\n<playlist/>', "line 1: a document type is not allowed"),
        ("<playlist><title>&a;</title></playlist>", "line 1: undefined entity"),
        ("<playlist>\n<title>", "line 2: no element found"),
        ("", "line 1: no element found"),
        ("\n<html></html>", "line 2: the first element must be playlist"),
        ("<playlist>\n" + "<x>" * 40, "line 2: more than 32 elements inside one another"),
        ("<playlist>\0</playlist>", "line 1: not well-formed"),
        ("<playlist><title>&#xD800;</title></playlist>", "line 1: reference to invalid character number"),
        ('<?xml version="1.0" encoding="utf-7"?><playlist/>', "line 1: "),
        ('<?xml version="1.0" encoding="none"?><playlist/>', "line 1: "),
        ('<?xml version="1.0" encoding="shift_jis"?><playlist/>', "line 1: "),
    ],
)
def test_xml_that_is_wrong_or_hostile_is_refused(content: str, expected: str) -> None:
    assert problem(content, "xspf").startswith(expected)


@pytest.mark.parametrize("file_format", ["json", "jspf"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{\n"playlist": {,}}', "Invalid JSON: key must be a string at line 2"),
        ("[" * 100_000, "Invalid JSON: recursion limit exceeded at line 1"),
        ("[]", "Input should be"),
        ('{"playlist": []}', "playlist: Input should be"),
        ('{"playlist": {"songs": 1, "track": 1}}', "playlist."),
        ('{"playlist": {"songs": [{}, {"title": 1}], "track": [{}, {"title": 1}]}}', "playlist."),
        ('{"playlist": {"songs": [{"title": "\\u0000"}], "track": [{"title": "\\u0000"}]}}', "playlist."),
        ('{"playlist": {"songs": [{"title": "\\ud800"}], "track": [{"title": "\\ud800"}]}}', "Invalid JSON: "),
    ],
)
def test_json_that_is_wrong_or_hostile_is_refused(file_format: str, content: str, expected: str) -> None:
    assert problem(content, file_format).startswith(expected)


def test_a_wrong_song_is_named_by_its_place() -> None:
    content = {"playlist": {"songs": [{"title": "a"}, {"title": 1}]}}
    assert problem(json.dumps(content), "json") == "playlist.songs.1.title: Input should be a valid string"


@given(st.binary(max_size=200), st.sampled_from(FORMATS))
def test_any_bytes_are_read_or_refused(content: bytes, file_format: str) -> None:
    try:
        read_file(content, file_format)
    except FileInvalid as refused:
        assert "\n" not in refused.message


@given(st.text("<>&;\"'=/ \n\rabtplis:#EXTM3U,{}[]", max_size=80), st.sampled_from(FORMATS))
def test_any_text_is_read_or_refused(text: str, file_format: str) -> None:
    test_any_bytes_are_read_or_refused.hypothesis.inner_test(text.encode(), file_format)  # type: ignore[attr-defined]


def test_ten_thousand_songs_are_the_most() -> None:
    rows = [f"{new_id('song')},Lost!,Coldplay" for _ in range(MAX_ROWS)]
    assert len(read("\n".join(["id,title,performer", *rows]), "csv")) == MAX_ROWS
    told = problem("\n".join(["id,title,performer", *rows, rows[0]]), "csv")
    assert told == "it has more than 10000 songs"
    songs = {"songs": [{"title": "a"}] * 10_001}
    assert problem(json.dumps({"playlist": songs}), "json").startswith("playlist.songs: List should have at most 10000")


@pytest.mark.parametrize(
    ("file_format", "content", "expected"),
    [
        ("csv", "title" + "\n" * 8_000_000, "it has more than 200000 lines"),
        ("m3u8", "#EXTM3U" + "\r" * 8_000_000, "it has more than 200000 lines"),
        ("json", '{"x": [' + "{}," * 2_000_000 + "{}]}", "it has more than 1000000 brackets"),
        ("jspf", "[" * 8_000_000, "it has more than 1000000 brackets"),
        ("xspf", "<playlist>" + "<x/>" * 2_000_000, "line 1: more than 32 elements inside one another, or 400000"),
    ],
    ids=["csv", "m3u8", "json", "jspf", "xspf"],
)
def test_a_file_that_would_grow_in_memory_is_refused(file_format: str, content: str, expected: str) -> None:
    assert problem(content, file_format).startswith(expected)


def test_a_name_has_a_thousand_characters_at_most() -> None:
    assert problem("#EXTM3U\n#PLAYLIST:" + "x" * 1001, "m3u8") == "its name has more than 1000 characters"


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [("Text/CSV; charset=utf-8", "csv"), ("application/vnd.apple.mpegurl", "m3u8"), ("application/jspf+json", "jspf")],
)
def test_the_media_type_names_the_format(media_type: str, expected: str) -> None:
    assert format_of(media_type) == expected


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/octet-stream", "csv"])
def test_other_media_types_name_none(media_type: str) -> None:
    with pytest.raises(FormatUnknown):
        format_of(media_type)
