"""The memory budget of decodes: who waits, who goes on, and what a decode really takes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from redzone.errors import ErrorCode, ImageFault, Retry
from redzone.imaging.decode import decode
from redzone.imaging.geometry import DECODE_BYTES, FramingOptions
from redzone.imaging.memory import BUDGET, MemoryBudget
from redzone.imaging.pool import run_in_decoder
from redzone.imaging.render import frame, frame_at_once
from redzone.models import ViewKind, Zone
from tests.pictures import MODES, encoded, gradient

RED = Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)
ALLOWED_MB = 250


def test_reservations_never_exceed_the_limit() -> None:
    """Fifty threads and one budget: the sum stays within it, and everybody gets a turn."""
    budget, most, done = MemoryBudget(), [0], []

    def work(size: int) -> None:
        with budget.reserved(size, 100):
            most[0] = max(most[0], budget.used_bytes)
            done.append(size)

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(work, [7 * number % 60 + 1 for number in range(500)]))
    assert len(done) == 500
    assert most[0] <= 100
    assert budget.used_bytes == 0


def test_one_that_exceeds_the_limit_goes_alone_and_is_not_overtaken() -> None:
    """It waits until nobody holds anything; small ones that come later wait behind it."""
    budget, order = MemoryBudget(), []
    budget.acquire(50, 100)
    waiting = threading.Event()

    def large() -> None:
        waiting.set()
        with budget.reserved(500, 100):
            order.append(budget.used_bytes)

    thread = threading.Thread(target=large)
    thread.start()
    waiting.wait()
    while budget.try_acquire(1, 100):  # until the large one stands in the queue
        budget.release(1)
    budget.release(50)
    thread.join()
    assert order == [500]
    assert budget.used_bytes == 0


def test_the_event_loop_never_waits_for_memory() -> None:
    """A small crop is left to a thread while the budget is used up."""
    data = encoded(gradient(300, 450), "JPEG")
    with BUDGET.reserved(DECODE_BYTES, DECODE_BYTES):
        assert frame_at_once(data, [RED], ViewKind.CROP) is None
    assert frame_at_once(data, [RED], ViewKind.CROP) is not None


async def test_many_decodes_in_little_memory_all_end() -> None:
    """A budget that one picture exceeds: they go one by one, from the loop's threads, without a deadlock."""
    options = FramingOptions(decode_bytes=1_000)
    files = [encoded(gradient(120, 180), kind) for kind in MODES] * 8
    views = await asyncio.gather(
        *(run_in_decoder(frame, data, [RED], kind, options) for data in files for kind in ViewKind)
    )
    assert len(views) == len(files) * len(ViewKind)
    assert BUDGET.used_bytes == 0


def test_no_memory_left_is_an_error_of_the_machine() -> None:
    """In a process whose address space is limited: it can be retried, and the image is not called broken."""
    done = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [ErrorCode.INTERNAL, Retry.TRANSIENT] * 3


LIMITED = """
import resource
from redzone.errors import ImageFault
from redzone.imaging.render import frame
from redzone.models import ViewKind, Zone
from tests.pictures import encoded
from PIL import Image
poster = Image.new("RGB", (4000, 6000), (9, 60, 90))
files = [encoded(poster, "PNG"), encoded(poster, "WEBP", method=0), encoded(poster, "BMP")]
del poster
zones = [Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)]
frame(encoded(Image.new("RGB", (64, 64)), "PNG"), zones, ViewKind.POSTER)
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + 60_000_000,) * 2)
for data in files:
    try:
        frame(data, zones, ViewKind.POSTER)
    except ImageFault as fault:
        print(fault.code, fault.retry)
"""


def large_files() -> dict[str, bytes]:
    """Valid posters of 24 megapixels that pack well, in every format."""
    poster = Image.new("RGB", (4000, 6000), (40, 90, 160))
    poster.paste((200, 30, 30), (100, 100, 2000, 700))
    clear = poster.copy()
    clear.putalpha(128)
    return {
        "jpeg": encoded(poster, "JPEG"),
        "jpeg progressive": encoded(poster, "JPEG", progressive=True),
        "jpeg turned": encoded(poster, "JPEG", 6),
        "jpeg cmyk": encoded(poster.convert("CMYK"), "JPEG"),
        "png": encoded(poster, "PNG", compress_level=1),
        "png turned": encoded(clear, "PNG", 6, compress_level=1),
        "webp": encoded(poster, "WEBP", method=0),
        "webp transparent": encoded(clear, "WEBP", method=0),
        "gif": encoded(poster.quantize(16), "GIF"),
        "avif": encoded(poster, "AVIF", speed=10),
    }


MEASURED = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from redzone.imaging.render import frame
from redzone.models import ViewKind, Zone
from redzone.thumbnails import Scaled
from tests.pictures import MODES, encoded, gradient
def peak_kb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
zones = [Zone(name="red", x=0.0, y=0.0, w=0.6, h=0.1)]
for kind in MODES:
    frame(encoded(gradient(64, 64), kind), zones, ViewKind.CROP)
files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
def work(job):
    data, view = job
    return frame(data, zones, view) if view else Scaled(400).make(data, 50_000_000)
jobs = [(data, view) for view in (*ViewKind, None) for data in files]
with ThreadPoolExecutor(50) as threads:
    before_kb = peak_kb()
    list(threads.map(work, jobs))
print((peak_kb() - before_kb) // 1000)
"""


@pytest.mark.timeout(240)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_any_mix_of_large_files_stays_within_the_memory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Ten formats, three views and thumbnails, fifty threads: 250 MB over the baseline at most."""
    folder = tmp_path_factory.mktemp("posters")
    for name, data in large_files().items():
        (folder / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) <= ALLOWED_MB


def test_what_takes_more_than_the_limit_is_refused_before_it_is_decoded() -> None:
    """With the setting that allows it; a limit below the default refuses nothing that the default accepts."""
    data = encoded(Image.new("RGB", (4000, 6000)), "AVIF", speed=10, subsampling="4:4:4")
    with pytest.raises(ImageFault, match="REDZONE_DECODE_MEMORY_MB") as caught:
        frame(data, [RED], ViewKind.POSTER)
    assert caught.value.code is ErrorCode.IMAGE_TOO_LARGE
    assert frame(data, [RED], ViewKind.POSTER, FramingOptions(decode_bytes=400_000_000)).width == 685
    small = encoded(gradient(300, 450), "PNG")
    assert frame(small, [RED], ViewKind.POSTER, FramingOptions(decode_bytes=1)).width > 0


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_decodes_to_the_same_pixels_as_in_pillow(mode: str, lossless: bool) -> None:
    """By libwebp's own call, and by Pillow's."""
    from io import BytesIO

    from redzone.imaging import webp

    picture = gradient(133, 207).convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    data = encoded(picture, "WEBP", lossless=lossless, exact=True)
    still = webp.decode_still(data, picture.size, mode)
    if still is None:
        pytest.skip("libwebp cannot be reached")
    with Image.open(BytesIO(data)) as image:
        assert still.convert(mode).tobytes() == image.convert(mode).tobytes()
    assert decode(data, 50_000_000, 16).size == picture.size
