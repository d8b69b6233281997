import io
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from streams import Trickle

from seqembed import LSTMAutoencoder, load
from seqembed.codec import SequenceCodec
from seqembed.codec.bytes.container import VERSION
from seqembed.codec.model.residual_network import ResidualNetwork
from seqembed.datasets import load_italy_power
from seqembed.files.safetensors_file import InvalidFileError, pack, unpack

OLD_FILES = sorted((Path(__file__).parent / "files").glob("version_*/*.seqc"))


def walks(seed=0):
    return np.random.default_rng(seed).normal(size=(30, 12, 2)).cumsum(axis=1)


@pytest.fixture(scope="session")
def autoencoder():
    return LSTMAutoencoder(3, hidden_units=(), epochs=1, random_state=0).fit(walks())


def saved(codec):
    file = io.BytesIO()
    codec.save(file)
    return file.getvalue()


@pytest.mark.parametrize("path", OLD_FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_every_version_decode_as_they_did(path):
    estimator = load(path.parent / "autoencoder.seqembed") if path.stem == "embedding" else None
    codec = SequenceCodec.load(path.with_suffix(".seqembed"), estimator)
    decoded, expected = np.concatenate(list(codec.decode(path.read_bytes()))), np.load(path.with_suffix(".npy"))
    assert decoded.dtype == expected.dtype
    if path.stem == "embedding":
        # Floats of the network, which differ between processors.
        np.testing.assert_allclose(decoded, expected, atol=1e-4)
    else:
        np.testing.assert_array_equal(decoded, expected)


def test_there_is_a_file_of_every_way_of_coding_in_every_version():
    names = {"network", "tables", "bins", "xz", "pcodec", "reconstruction", "embedding", "decimals"}
    for version in range(1, VERSION + 1):
        assert {path.stem for path in OLD_FILES if path.parent.name == f"version_{version}"} >= names


@pytest.mark.slow
def test_the_arithmetic_of_the_caller_changes_nothing():
    code = """
import decimal, sys
decimal.setcontext(decimal.Context(prec=4, rounding=decimal.ROUND_DOWN, traps=[decimal.Inexact]))
from seqembed.codec import SequenceCodec
for name in ("network", "reconstruction"):
    path = sys.argv[1] + "/" + name
    decoded = SequenceCodec.load(path + ".seqembed").decode(open(path + ".seqc", "rb").read())
    sys.stdout.buffer.write(b"".join(x.tobytes() for x in decoded))
"""
    folder = OLD_FILES[0].parent
    done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, timeout=120)
    assert done.stdout == b"".join(np.load(folder / f"{name}.npy").tobytes() for name in ("network", "reconstruction"))


@pytest.mark.parametrize("parameters", [{"max_relative_error": 0.01}, {"max_error": [0, 0.5]}])
def test_a_codec_comes_back_from_its_file(parameters, tmp_path):
    codec = SequenceCodec(**parameters).fit(walks())
    codec.save(tmp_path / "codec.seqembed")
    again = SequenceCodec.load(tmp_path / "codec.seqembed")
    assert again.get_params() == codec.get_params()
    assert joblib.hash(again.coder_) == joblib.hash(codec.coder_)
    np.testing.assert_array_equal(again.bound_, codec.bound_)
    data = codec.encode(walks(1))
    assert again.encode(walks(1)) == data
    np.testing.assert_array_equal(again.decode(data), codec.decode(data))


def test_a_codec_and_its_batches_go_through_files_that_give_and_take_little():
    codec, model, codes = SequenceCodec(max_relative_error=0.01).fit(walks()), Trickle(most=100), io.BytesIO()
    codec.save(model)
    loaded = SequenceCodec.load(Trickle(model.getvalue(), most=100))
    for batch in (walks(1), walks(2)):
        codes.write(codec.encode(batch))
    decoded = list(loaded.decode_batches(Trickle(codes.getvalue(), most=100)))
    np.testing.assert_array_equal(decoded, [codec.decode(codec.encode(walks(seed))) for seed in (1, 2)])


@pytest.mark.slow
def test_a_codec_with_networks_comes_back_from_its_file():
    random = np.random.default_rng(0)
    sizes = np.where(random.random((40, 5)) < 0.3, 8.0, 0.5).repeat(8, axis=1)
    X = (random.normal(size=(40, 40)) * sizes).cumsum(axis=1)
    codec = SequenceCodec(max_relative_error=0.02).fit(X)
    assert isinstance(codec.coder_.models[0].distribution, ResidualNetwork)
    assert SequenceCodec.load(saved(codec)).encode(X) == codec.encode(X)


def test_a_later_fit_of_the_estimator_changes_nothing(autoencoder):
    estimator = clone(autoencoder).fit(walks())
    codec = SequenceCodec(estimator, bits=16).fit(walks())
    data, loaded = codec.encode(walks(1)), SequenceCodec.load(saved(codec), estimator)
    expected = codec.decode(data)
    estimator.fit(walks(2))
    np.testing.assert_array_equal(codec.decode(data), expected)
    np.testing.assert_array_equal(loaded.decode(data), expected)


def test_a_codec_of_embeddings_needs_its_estimator(autoencoder):
    codec = SequenceCodec(autoencoder, bits=16).fit(walks())
    file, data = saved(codec), codec.encode(walks(1))
    np.testing.assert_array_equal(SequenceCodec.load(file, autoencoder).decode(data), codec.decode(data))
    with pytest.raises(InvalidFileError, match=r"without its estimator: pass load\(file, estimator\)"):
        SequenceCodec.load(file)
    other = LSTMAutoencoder(3, hidden_units=(), epochs=1, random_state=1).fit(walks())
    smaller = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(walks())
    # Its weights are the same.
    scaled = clone(autoencoder).fit(8 * walks())
    for another in (other, smaller, scaled):
        with pytest.raises(InvalidFileError, match="Got another estimator"):
            SequenceCodec.load(file, another)


@pytest.mark.slow
def test_a_codec_with_reconstructions_decodes_without_its_estimator():
    estimator, days = load(OLD_FILES[0].parent / "autoencoder.seqembed"), load_italy_power(split="test").data
    codec = SequenceCodec(estimator, max_relative_error=0.1).fit(load_italy_power(split="train").data)
    with_estimator, without = SequenceCodec.load(saved(codec), estimator), SequenceCodec.load(saved(codec))
    data = codec.encode(days)
    assert with_estimator.encode(days) == data
    np.testing.assert_array_equal(without.decode(data), codec.decode(data))
    again = without.encode(days)
    assert len(data) < 0.95 * len(again)
    np.testing.assert_array_equal(codec.decode(again), without.decode(again))
    assert [each.report(days)["share_reconstructed"] for each in (codec, without)] == [1, 0]


def test_the_file_of_a_codec_and_that_of_an_estimator_are_refused_with_the_function_that_loads_them(autoencoder):
    with pytest.raises(
        InvalidFileError, match=r"file of 'LSTMAutoencoder'.*expected that of a codec.*seqembed.load\(file\)"
    ):
        SequenceCodec.load(saved(autoencoder))
    with pytest.raises(InvalidFileError, match=r"of a codec, expected .*seqembed.codec.SequenceCodec.load\(file\)"):
        load(saved(SequenceCodec(max_relative_error=0.01).fit(walks())))


def test_a_path_in_place_of_the_estimator_is_refused_with_the_line_that_loads_it():
    with pytest.raises(TypeError, match=r"Got estimator='model\.seqembed'.*seqembed\.load\('model\.seqembed'\)"):
        SequenceCodec.load(saved(SequenceCodec(max_relative_error=0.01).fit(walks())), "model.seqembed")


def test_other_files_are_refused():
    file = saved(SequenceCodec(max_relative_error=0.01).fit(walks()))
    description, arrays = unpack(file)
    with pytest.raises(InvalidFileError, match="Got a codec of version 4, expected one of 1, 2, 3"):
        SequenceCodec.load(pack(description | {"codec_version": 4}, arrays))
    for missing in ("fingerprint", "rounds", "parameters", "tries_bins"):
        less = {name: value for name, value in description.items() if name != missing}
        with pytest.raises(InvalidFileError, match="holds no codec"):
            SequenceCodec.load(pack(less, arrays))
    for wrong, message in (
        ({"n_features": 3}, "Got 3 features, and 2 in the arrays"),
        ({"parameters": None}, "holds no codec"),
        ({"rounds": 5}, "holds no codec"),
    ):
        with pytest.raises(InvalidFileError, match=message):
            SequenceCodec.load(pack(description | wrong, arrays))
    for missing in ("unit", "0/weights", "0/frequencies"):
        less = {name: value for name, value in arrays.items() if name != missing}
        with pytest.raises(InvalidFileError, match="holds no codec"):
            SequenceCodec.load(pack(description, less))


def test_a_file_of_changed_numbers_is_refused():
    description, arrays = unpack(saved(SequenceCodec(max_relative_error=0.01).fit(walks())))
    with pytest.raises(InvalidFileError, match="a file that was changed"):
        SequenceCodec.load(pack(description, arrays | {"unit": arrays["unit"] * 2}))


@pytest.mark.parametrize(
    ("name", "number"), [("0/curve", np.nan), ("0/curve", 1e300), ("0/frequencies", 0.5), ("unit", np.inf)]
)
def test_an_array_with_a_number_that_its_dtype_does_not_have_is_refused_without_a_warning(name, number):
    description, arrays = unpack(OLD_FILES[0].with_name("tables.seqembed"))
    changed = arrays[name].astype(np.float64)
    changed.flat[0] = number
    with warnings.catch_warnings(action="error"), pytest.raises(InvalidFileError, match=f"Got an array '{name}'"):
        SequenceCodec.load(pack(description, arrays | {name: changed}))


@pytest.mark.parametrize("step", [10**400, "wide", None])
def test_a_step_that_is_no_float_is_refused(step):
    folder = OLD_FILES[0].parent
    description, arrays = unpack(folder / "embedding.seqembed")
    with pytest.raises(InvalidFileError, match="holds no codec"):
        SequenceCodec.load(pack(description | {"step": step}, arrays), load(folder / "autoencoder.seqembed"))


@pytest.mark.parametrize("name", ["tables", "embedding"])
@pytest.mark.parametrize("n_features", [1.0, True, 2, None])
def test_a_codec_whose_number_of_features_is_not_that_of_its_arrays_is_refused(name, n_features):
    file = OLD_FILES[0].with_name(f"{name}.seqembed")
    description, arrays = unpack(file)
    estimator = load(file.with_name("autoencoder.seqembed"))
    with pytest.raises(InvalidFileError, match=f"Got {n_features} features"):
        SequenceCodec.load(pack(description | {"n_features": n_features}, arrays), estimator)
