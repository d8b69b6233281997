import numpy as np
import pytest

from seqembed import LSTMAutoencoder
from seqembed.codec import InvalidStreamError, SequenceCodec
from seqembed.datasets import load_italy_power, load_japanese_vowels


@pytest.fixture(scope="session")
def days():
    return load_italy_power().data


@pytest.fixture(scope="session")
def fitted(days):
    return LSTMAutoencoder(8, hidden_units=(16,), epochs=20, random_state=0).fit(days[:500])


@pytest.mark.slow
@pytest.mark.parametrize("bits", [4, 16, 40])
def test_so_many_bits_are_needed_as_were_asked_for(fitted, days, bits):
    codec = SequenceCodec(fitted, bits=bits).fit(days[:500])
    assert 8 * len(codec.encode(days[500:])) / len(days[500:]) == pytest.approx(bits, rel=0.2)


@pytest.mark.slow
def test_more_bits_come_nearer_to_the_reconstruction(fitted, days):
    reconstruction, errors = fitted.reconstruct(days[500:]), []
    for bits in (4, 16, 64):
        codec = SequenceCodec(fitted, bits=bits).fit(days[:500])
        decoded = codec.decode(codec.encode(days[500:]))
        assert (decoded.shape, decoded.dtype) == (reconstruction.shape, reconstruction.dtype)
        errors.append(np.square(decoded - reconstruction).mean())
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.slow
def test_sequences_of_unequal_lengths_and_one_feature_come_back_in_their_layout(days):
    vowels = load_japanese_vowels(split="train").data
    for X in (vowels, days[:200, :, 0]):
        autoencoder = LSTMAutoencoder(4, hidden_units=(8,), epochs=2, random_state=0).fit(X)
        codec = SequenceCodec(autoencoder, bits=20).fit(X)
        decoded = codec.decode(codec.encode(X))
        assert [np.shape(x) for x in decoded] == [np.shape(x) for x in X]
        assert len(codec.decode(codec.encode(X[:0]))) == 0


@pytest.mark.slow
def test_a_report_has_no_bound_to_speak_of(fitted, days):
    report = SequenceCodec(fitted, bits=24).fit(days[:500]).report(days[500:])
    assert "pays_back_after" not in report
    assert report["codec_bytes"] > 4 * sum(weight.size for weight in fitted.weights_.values())


@pytest.mark.slow
def test_damage_is_noticed(fitted, days):
    codec = SequenceCodec(fitted, bits=24).fit(days[:500])
    data = bytearray(codec.encode(days[500:510]))
    data[-1] ^= 1
    with pytest.raises(InvalidStreamError, match="Block 0 is damaged"):
        codec.decode(bytes(data))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Got max_error=None, max_relative_error=None, bits=None, expected one of them"),
        ({"max_error": 0.1, "bits": 8}, "expected one of them"),
        ({"bits": 8}, "Got bits= without estimator=, expected both"),
        ({"estimator": 1, "max_error": 0.1}, "The 'estimator' parameter of SequenceCodec must be an object implement"),
        ({"bits": -1}, "The 'bits' parameter of SequenceCodec must be a float in the range"),
        ({"max_error": "no"}, "Got max_error='no', expected a number from 0"),
        ({"max_relative_error": 0.1, "max_error": 0.1}, "expected one of them"),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(days, changes, message):
    with pytest.raises(ValueError, match=message):
        SequenceCodec(**changes).fit(days)


@pytest.fixture(scope="session")
def codec_of_few_bits():
    X = np.random.default_rng(0).normal(size=(30, 1000, 1)).cumsum(axis=1).astype(np.float32)
    options = {"hidden_units": (), "epochs": 1, "patch_size": 500, "context_size": 0, "shortcut_size": 0}
    return SequenceCodec(LSTMAutoencoder(2, **options, random_state=0).fit(X), bits=2).fit(X)


@pytest.mark.parametrize("n_timesteps", [20_000, 600_000])
def test_long_sequences_of_few_bits_were_encoded_but_not_decoded(codec_of_few_bits, n_timesteps):
    X = [np.zeros((n_timesteps, 1), np.float32)] * (1_200_000 // n_timesteps)
    assert [len(x) for x in codec_of_few_bits.decode(codec_of_few_bits.encode(X))] == [n_timesteps] * len(X)


def test_a_sequence_too_long_for_its_bits_is_refused_before_it_is_lost(codec_of_few_bits):
    with pytest.raises(ValueError, match=r"Got 3000000 timesteps for .* bytes of embeddings.*Cut"):
        codec_of_few_bits.encode([np.zeros((3_000_000, 1), np.float32)])
