"""Which camera a path is from, on the layouts that people and cameras make."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdindex.archive.cameras import camera_of, camera_pattern, root_camera
from sdindex.errors import UsageError


@pytest.mark.parametrize(
    ("path", "camera"),
    [
        # What cards hold, as cameras name it: Reconyx, Bushnell, Browning, Moultrie, Cuddeback,
        # many without a brand, and a phone.
        ("site1/cam2/DCIM/100RECNX/IMG_0001.JPG", "site1/cam2"),
        ("cam/100EK113/MFDC0001.JPG", "cam"),
        ("cam/100EK1CX/EK000001.JPG", "cam"),
        ("cam/101_BTCF/IMG_0001.JPG", "cam"),
        ("cam/DCIM/100MEDIA/DSCF0001.JPG", "cam"),
        ("cam/dcim/100DSCIM/0001.JPG", "cam"),
        ("cam/DCIM/100CUDDY/E__00001.JPG", "cam"),
        ("cam/100MFCAM/M0001.JPG", "cam"),
        ("cam/100IMAGE/IM_00001.JPG", "cam"),
        ("cam/999RECNX/IMG_0001.JPG", "cam"),
        ("cam/1000RECX/IMG_0001.JPG", "cam"),
        ("cam/DCIM/202404__/IMG_0001.JPG", "cam"),
        ("cam/DCIM/101_1103/IMG_0001.JPG", "cam"),
        ("cam/DCIM/10090412/DSC00001.JPG", "cam"),
        ("cam/100recnx/img_0001.jpg", "cam"),
        ("DCIM/100RECNX/IMG_0001.JPG", ""),
        ("100RECNX/IMG_0001.JPG", ""),
        ("IMG_0001.JPG", ""),
        # Cards as folders, in folders: a card's own name is a person's, and is kept.
        ("cam3/card1/DCIM/100RECNX/IMG_0001.JPG", "cam3/card1"),
        ("SD1/DCIM/100MEDIA/IMG_0001.JPG", "SD1"),
        ("SD card 2/IMG_0001.JPG", "SD card 2"),
        ("DCIM/cam1/IMG_0001.JPG", "DCIM/cam1"),
        ("a/DCIM/DCIM/100RECNX/101RECNX/IMG_0001.JPG", "a"),
        # What people name: years, days, months, places that begin with a number.
        ("2024 spring/IMG_0001.JPG", "2024 spring"),
        ("cam/2024-04-12/IMG_0001.JPG", "cam/2024-04-12"),
        ("cam/20240412/IMG_0001.JPG", "cam/20240412"),
        ("cam/2019_May/IMG_0001.JPG", "cam/2019_May"),
        ("101North/IMG_0001.JPG", "101North"),
        ("cam/1000RECNX/IMG_0001.JPG", "cam/1000RECNX"),
        ("cam/099RECNX/IMG_0001.JPG", "cam/099RECNX"),
        ("cam/100RECNX/sorted/IMG_0001.JPG", "cam/100RECNX/sorted"),
        ("cam/myDCIM/IMG_0001.JPG", "cam/myDCIM"),
        ("cam/DCIM2/IMG_0001.JPG", "cam/DCIM2"),
        # The real archives of the tests.
        ("peru/S90/SDZG 1/SDZG1 (1).JPG", "peru/S90/SDZG 1"),
        ("missouri/1.56-Mouflon/SEQ75458/SEQ75458_IMG_0001.JPG", "missouri/1.56-Mouflon/SEQ75458"),
        ("a\\\\b/100RECNX/\\xff.JPG", "a\\\\b"),
    ],
)
def test_a_camera_is_the_folder_above_the_cards_own(path: str, camera: str) -> None:
    assert camera_of(path) == camera


@pytest.mark.parametrize(
    ("root", "camera"),
    [
        ("/data/cam2", "cam2"),
        ("/data/site1/SD card 2", "SD card 2"),
        ("/data/cam2/DCIM", "cam2"),
        ("/data/cam2/DCIM/100RECNX", "cam2"),
        ("/media/100EK113", "media"),
        ("/DCIM", "DCIM"),
        ("/", "/"),
        ("E:/", "E:"),
        ("E:/DCIM", "E:"),
        ("//server/cams/cam7", "cam7"),
        ("s3://bucket/cam7", "cam7"),
        ("/data/a\\\\b", "a\\\\b"),
    ],
)
def test_a_root_that_is_a_cameras_own_folder_names_it(root: str, camera: str) -> None:
    assert root_camera(root) == camera


@pytest.mark.parametrize(
    ("pattern", "path", "camera"),
    [
        (r"^([^/]+)/", "cam3/card1/DCIM/100RECNX/IMG_0001.JPG", "cam3"),
        (r"/(CAM\d+)_", "2024/CAM07_20240412_0001.JPG", "CAM07"),
        (r"(?P<camera>Station[A-C])/(\w+)", "x/StationB/PBE/1.JPG", "StationB"),
        (r"(\w+)/(?P<camera>\w+)", "site/cam/1.JPG", "cam"),
        # What it does not find, and what it finds without a name, is left to the folders.
        (r"/(CAM\d+)_", "site1/cam2/DCIM/100RECNX/IMG_0001.JPG", "site1/cam2"),
        (r"x?(y?)", "cam/100RECNX/IMG_0001.JPG", "cam"),
        (r"100|(CAM)", "cam/100RECNX/IMG_0001.JPG", "cam"),
    ],
)
def test_a_pattern_finds_it_where_the_folders_say_nothing(
    pattern: str, path: str, camera: str
) -> None:
    assert camera_of(path, camera_pattern(pattern)) == camera


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("cam(", "is no regular expression: missing )"),
        ("*", "nothing to repeat"),
        (r"cam\d+", "has 0 groups; put parentheses around what names the camera"),
        (r"(site)/(cam)", "has 2 groups"),
        ("", "has 0 groups"),
    ],
)
def test_a_pattern_that_names_no_camera_is_one_line(pattern: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        camera_pattern(pattern)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@given(st.lists(st.sampled_from(["DCIM", "100RECNX", "cam", "20240412", "é", "1"]), max_size=5))
def test_a_camera_is_a_folder_of_its_path(folders: list[str]) -> None:
    path = "/".join([*folders, "IMG_0001.JPG"])
    camera = camera_of(path)
    assert path.startswith(f"{camera}/" if camera else "")
    assert camera_of(f"{camera}/IMG_0001.JPG" if camera else "IMG_0001.JPG") == camera
    assert camera_of(f"{camera}/DCIM/100MEDIA/1.JPG".lstrip("/")) == camera
