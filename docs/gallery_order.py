"""The order of the gallery: first what everyone needs, then one use after the other, deployment last."""

ORDER = (
    "plot_quickstart",
    "plot_which_tool",
    "plot_understanding_lstm_autoencoder",
    "plot_n_components",
    "plot_learning_curve",
    "plot_unequal_lengths",
    "plot_missing_values",
    "plot_uneven_sampling",
    "plot_static_and_categorical",
    "plot_few_labels",
    "plot_clusters",
    "plot_components",
    "plot_similar_sequences",
    "plot_new_sequences",
    "plot_rare_events",
    "plot_novelty_by_feature",
    "plot_threshold",
    "plot_injected_faults",
    "plot_long_recording",
    "plot_compression",
    "deploy_encoder",
    "deploy_litert",
    "deploy_http",
    "deploy_mlflow",
    "deploy_retraining",
    "scale_out_dask",
    "scale_out_spark",
    "train_on_many_machines",
)


def place(filename: str) -> int:
    """Return the place of an example. One that the list lacks ends the build, with its name."""
    return ORDER.index(filename.removesuffix(".py"))
