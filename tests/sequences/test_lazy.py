import copy
import os
import signal
import time

import cloudpickle
import dask.array as da
import numpy as np
import pytest
from dask.distributed import Client, LocalCluster, wait
from kernels import assert_same

from seqembed import LSTMAutoencoder, ReconstructionDetector, SequenceSummary, sliding_windows
from seqembed.codec import SequenceCodec

X = np.random.default_rng(0).normal(size=(500, 6, 3)).astype(np.float32)
LENGTHS = np.random.default_rng(1).integers(1, 7, len(X))


@pytest.fixture(scope="session")
def fitted():
    return LSTMAutoencoder(4, hidden_units=(8,), epochs=1, random_state=0).fit(X[:50])


@pytest.fixture(params=[(1, 2, 497), 70, 500], ids="{} rows a block".format)
def lazy(request):
    return da.from_array(X, chunks=(request.param, 4, 2))


@pytest.mark.parametrize(
    "compute",
    [
        lambda estimator, X: estimator.transform(X),
        lambda estimator, X: estimator.reconstruct(X),
        lambda estimator, X: estimator.reconstruction_error(X),
        lambda estimator, X: estimator.reconstruction_error(X, per="timestep"),
        lambda estimator, X: estimator.reconstruction_error(X, per="value"),
        lambda estimator, X: estimator.transform(X, lengths=LENGTHS),
    ],
    ids=["embedding", "reconstruction", "error", "by timestep", "by value", "lengths"],
)
def test_a_dask_array_gives_a_dask_array_of_the_same_values(compute, fitted, lazy):
    result, expected = compute(fitted, lazy), compute(fitted, X)
    assert isinstance(result, da.Array)
    assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
    assert result.chunks[0] == lazy.chunks[0]
    assert_same(result.compute(), expected)


def test_sequences_of_one_feature_stay_without_its_axis():
    fitted = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0).fit(X[:50, :, 0])
    lazy = da.from_array(X[:, :, 0], chunks=(70, 6))
    assert_same(fitted.reconstruct(lazy).compute(), fitted.reconstruct(X[:, :, 0]))


def test_selected_rows_of_unknown_number_are_embedded(fitted):
    lazy = da.from_array(X, chunks=(50, 6, 3))
    # No row of the first block.
    chosen = np.arange(len(X)) % 3 + (np.arange(len(X)) < 50) == 0
    selected = lazy[da.from_array(chosen, chunks=50)]
    assert_same(fitted.transform(selected).compute(), fitted.transform(X[chosen]))


@pytest.mark.usefixtures("small_chunks")
def test_score_is_that_of_the_array(fitted, lazy):
    lazy, array, lengths = lazy[:60], X[:60], LENGTHS[:60]
    assert fitted.score(lazy) == pytest.approx(fitted.score(array))
    assert fitted.score(lazy, lengths=lengths) == pytest.approx(fitted.score(array, lengths=lengths))


@pytest.mark.usefixtures("small_chunks")
def test_results_that_are_lists_and_those_that_go_into_an_array_are_computed_at_once(fitted, lazy):
    lazy, array, lengths = lazy[:60], X[:60], LENGTHS[:60]
    listed = fitted.reconstruct(lazy, lengths=lengths)
    assert isinstance(listed, list)
    for sequence, expected in zip(listed, fitted.reconstruct(array, lengths=lengths), strict=True):
        assert_same(sequence, expected)
    out = np.empty((60, 4), np.float32)
    assert fitted.transform(lazy, lengths=lengths, out=out) is out
    assert_same(out, fitted.transform(array, lengths=lengths))


def test_errors_come_before_anything_is_computed(fitted, lazy):
    def compute(block):
        raise AssertionError("a block was computed")

    lazy = lazy.map_blocks(compute, meta=np.empty((0, 0, 0), np.float32))
    with pytest.raises(ValueError, match="X has 5 timesteps of 3 features"):
        fitted.transform(lazy[:, :5])
    with pytest.raises(ValueError, match="got a 1D array"):
        fitted.transform(lazy[:, 0, 0])
    with pytest.raises(ValueError, match=r"Got lengths= of shape \(3,\)"):
        fitted.transform(lazy, lengths=[1, 2, 3])
    with pytest.raises(ValueError, match=r"compute_chunk_sizes\(\) first"):
        fitted.transform(lazy[lazy[:, 0, 0] > 0], lengths=LENGTHS)
    with pytest.raises(ValueError, match="holds text"):
        fitted.transform(da.full((5, 6, 3), "text", dtype="U4"))


def test_arrays_padded_further_than_those_of_the_fit_are_embedded_with_lengths(fitted):
    longer = np.pad(X, ((0, 0), (0, 4), (0, 0)))
    lazy = da.from_array(longer, chunks=(70, 10, 3))
    assert_same(fitted.transform(lazy, lengths=LENGTHS).compute(), fitted.transform(X, LENGTHS))


@pytest.mark.slow
@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_computes_at_once(container, fitted, lazy):
    expected = fitted.transform(X)
    frame = copy.deepcopy(fitted).set_output(transform=container).transform(lazy)
    assert_same(frame.to_numpy(), expected)


def test_the_model_is_in_the_graph_once_and_the_estimator_is_not(fitted, lazy):
    graph = fitted.transform(lazy).__dask_graph__().to_dict()
    holding = [task for task in graph.values() if getattr(task, "value", None) is fitted.model_]
    assert len(holding) == 1
    # As the graph travels to the workers.
    sent = cloudpickle.dumps(graph)
    assert b"TrainedModel" in sent
    assert LSTMAutoencoder.__module__.encode() not in sent


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(fitted):
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        blocks = da.from_array(X, chunks=(10, 6, 3)).map_blocks(lambda block: (time.sleep(0.05), block)[1])
        future = client.compute(fitted.transform(blocks))
        victim, _ = client.run(os.getpid).values()
        time.sleep(0.5)
        os.kill(victim, signal.SIGKILL)
        wait(future, timeout=60)
        assert_same(future.result(), fitted.transform(X))
        assert victim not in client.run(os.getpid).values()


@pytest.mark.usefixtures("small_chunks")
def test_embeddings_of_a_dask_array_are_decoded_when_the_result_is_asked_for(fitted, lazy):
    Z = fitted.transform(X)
    decoded = fitted.inverse_transform(da.from_array(Z, chunks=(lazy.chunks[0], 2)))
    assert isinstance(decoded, da.Array)
    assert decoded.chunks[0] == lazy.chunks[0]
    assert_same(decoded.compute(), fitted.inverse_transform(Z))
    listed = fitted.inverse_transform(da.from_array(Z, chunks=70), lengths=LENGTHS)
    for sequence, expected in zip(listed, fitted.inverse_transform(Z, LENGTHS), strict=True):
        assert_same(sequence, expected)
    with pytest.raises(ValueError, match="Z has 3 columns"):
        fitted.inverse_transform(da.from_array(Z[:, :3], chunks=70))


@pytest.mark.usefixtures("small_chunks")
def test_masked_values_of_a_dask_array_are_missing(fitted):
    masked = np.ma.masked_array(X[:20].copy(), X[:20] > 1)
    lazy = da.from_array(masked, chunks=(5, 6, 3))
    assert_same(fitted.transform(lazy).compute(), fitted.transform(masked))
    fit = LSTMAutoencoder(2, hidden_units=(), epochs=1).fit
    np.testing.assert_array_equal(fit(lazy).feature_means_, fit(masked).feature_means_)


MASKED = np.ma.masked_array(X[:40], X[:40] > 1)
MISSING = MASKED.filled(np.nan)
LAZY_MASKED = da.ma.masked_greater(da.from_array(X[:40], chunks=(7, 4, 2)), 1)


def autoencoder():
    return LSTMAutoencoder(2, hidden_units=(4,), epochs=2, random_state=0)


def as_it_comes_back(X, codec):
    return codec.decode(codec.encode(X))


@pytest.mark.parametrize(
    "read",
    [
        lambda X: autoencoder().fit(X).feature_means_,
        lambda X: autoencoder().fit(X, lengths=LENGTHS[:40]).feature_means_,
        lambda X: autoencoder().partial_fit(X).feature_means_,
        lambda X: autoencoder().fit(X[start : start + 10] for start in range(0, 40, 10)).feature_means_,
        lambda X: autoencoder().fit([X[start], X[start + 1]] for start in range(0, 40, 2)).feature_means_,
        lambda X: autoencoder().fit([X[row] for row in range(40)]).feature_means_,
        lambda X: autoencoder().fit(MISSING).transform(X, out=np.empty((40, 2), np.float32)),
        lambda X: autoencoder().fit(MISSING).score(X),
        lambda X: np.asarray(SequenceSummary(2).fit(X).transform(X)),
        lambda X: ReconstructionDetector(autoencoder(), cv=2).fit(X).score_samples(X),
        lambda X: sliding_windows(X[0], 3).windows,
        lambda X: as_it_comes_back(X, SequenceCodec(max_error=1e-3).fit(X)),
    ],
)
def test_a_masked_dask_array_is_read_as_an_array_with_NaN_is(read):
    np.testing.assert_allclose(read(LAZY_MASKED), read(MISSING), rtol=1e-4, atol=1e-5)
