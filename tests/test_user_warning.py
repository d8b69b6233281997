import warnings

import numpy as np

from seqembed import LSTMAutoencoder, ReconstructionDetector


def filename_of(run):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
    return {each.filename for each in caught}


def test_warnings_point_to_the_users_line_however_deep_they_arise():
    X = np.random.default_rng(0).normal(size=(30, 6, 2))
    X[:, :, 1] = 3
    autoencoder = LSTMAutoencoder(2, hidden_units=(), epochs=1, random_state=0)
    assert filename_of(lambda: autoencoder.partial_fit(X)) == {__file__}
    detector = ReconstructionDetector(autoencoder)
    assert filename_of(lambda: detector.fit(X, y=np.arange(30))) == {__file__}
    padded = autoencoder.fit(X, lengths=[6] * 15 + [5] * 15)
    assert filename_of(lambda: padded.transform(X)) == {__file__}
    assert filename_of(lambda: padded.score(X)) == {__file__}
