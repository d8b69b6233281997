"""Write the files that later versions have to read, for the version of the bytes that this seqembed writes.

After a release they are never written again: ``python tests/codec/files/make.py`` makes those of a new version.
"""

from pathlib import Path

import numpy as np

from seqembed import LSTMAutoencoder
from seqembed.codec import SequenceCodec
from seqembed.codec.bytes.container import VERSION
from seqembed.datasets import load_italy_power

FOLDER = Path(__file__).parent / f"version_{VERSION}"


def main() -> None:
    """Write a codec, bytes and what they are decoded to, for each way of coding."""
    FOLDER.mkdir()
    random = np.random.default_rng(0)
    sizes = np.where(random.random((40, 5)) < 0.3, 8.0, 0.5).repeat(8, axis=1)
    bursts = (random.normal(size=(40, 40, 2)) * sizes[:, :, np.newaxis]).cumsum(axis=1).astype(np.float32)
    walks = random.normal(size=(40, 12, 1)).cumsum(axis=1)
    letters = np.tile(random.normal(size=(200, 1)).astype(np.float32), (9, 1))
    noise = random.integers(0, 256, (600, 1), np.uint8)
    with_gaps = bursts[:10].copy()
    with_gaps[3, 5:9], with_gaps[4, 0, 0] = np.nan, np.inf
    days, others = (load_italy_power(split=split).data for split in ("train", "test"))
    autoencoder = LSTMAutoencoder(8, hidden_units=(32,), epochs=300, random_state=0).fit(days)
    autoencoder.save(FOLDER / "autoencoder.seqembed")
    cases = {
        "network": (SequenceCodec(max_relative_error=0.02).fit(bursts), with_gaps),
        "tables": (
            SequenceCodec(max_relative_error=0.05).fit(walks),
            [walk[: 1 + row % 12] for row, walk in enumerate(walks)],
        ),
        "bins": (SequenceCodec(max_relative_error=0.01).fit([letters]), [letters]),
        "xz": (SequenceCodec(max_relative_error=0).fit([noise]), [noise]),
        "pcodec": (SequenceCodec(max_relative_error=0).fit(walks), walks),
        "reconstruction": (SequenceCodec(autoencoder, max_relative_error=0.1).fit(days), others[:300]),
        "embedding": (SequenceCodec(autoencoder, bits=16).fit(days), others[:50]),
        "decimals": (SequenceCodec(max_relative_error=0).fit(np.round(walks, 2)), np.round(walks[::-1], 2)),
    }
    for name, (codec, X) in cases.items():
        codec.save(FOLDER / f"{name}.seqembed")
        data = codec.encode(X)
        (FOLDER / f"{name}.seqc").write_bytes(data)
        np.save(FOLDER / f"{name}.npy", np.concatenate(list(codec.decode(data))))
        print(f"{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
