"""Words of other tools, and keys in a wrong place -> the keys and kinds of a recipe."""

# words of other libraries and of papers -> the field of TrainingArguments
TRAINING = {
    "lr": "learning_rate",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "max_epochs": "num_train_epochs",
    "steps": "max_steps",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "warmup": "warmup_steps",
    "wd": "weight_decay",
    "optimizer": "optim",
    "scheduler": "lr_scheduler_type",
    "lr_scheduler": "lr_scheduler_type",
    "grad_clip": "max_grad_norm",
    "gradient_clip_val": "max_grad_norm",
    "accumulate_grad_batches": "gradient_accumulation_steps",
    "gradient_accumulation": "gradient_accumulation_steps",
    "label_smoothing": "label_smoothing_factor",
    "evaluation_strategy": "eval_strategy",
    "num_workers": "dataloader_num_workers",
    "random_state": "seed",
}
# at the top level -> where it stands in a recipe
ELSEWHERE = {
    "checkpoint": "model.checkpoint",
    "model_name": "model.checkpoint",
    "model_name_or_path": "model.checkpoint",
    "pretrained": "model.checkpoint",
    "dataset": "data.path",
    "dataset_name": "data.path",
    "train_file": "data.splits.train",
    "validation_file": "data.splits.validation",
    "test_file": "data.splits.test",
    "text_column": "data.columns.text",
    "label_column": "data.columns.label",
    "max_seq_length": "task.max_length",
    "load_in_4bit": "model.quantization=4bit",
    "load_in_8bit": "model.quantization=8bit",
    "rank": "strategy.r",
    "lora_r": "strategy.r",
    "metric": "metrics",
    "augment": "augmentation",
    "push_to_hub": "hub.push",
    "hub_model_id": "hub.repo_id",
}
# in any other section -> where it stands in a recipe
OF_OTHER_SECTIONS = {
    **dict.fromkeys(("class_weight", "class_weights"), "task.class_weights"),
    "sampler": "task.sampler",
    "thresholds": "calibration.thresholds",
}
DEVICE = (
    "the accelerator of the machine is used as it is; CUDA_VISIBLE_DEVICES chooses among several, "
    "and training.use_cpu=true trains on the CPU"
)
# at the top level or in `training` -> why there is no such key
WITHOUT_KEY = {
    **dict.fromkeys(("device", "devices", "gpu", "gpus", "device_map", "no_cuda"), DEVICE),
    "output_dir": "runs are written to runs/NAME/; `name` is the key",
}
# section and word -> the key of that section, or of another one where it has a dot
IN_SECTION = {
    "model": {
        **dict.fromkeys(("name", "id", "path", "name_or_path", "model_name"), "checkpoint"),
        **dict.fromkeys(("dtype", "torch_dtype"), "training.bf16"),
        **dict.fromkeys(("load_in_4bit", "load_in_8bit"), "quantization"),
    },
    "data": {
        **dict.fromkeys(("dataset", "dataset_name", "file", "files", "data_files"), "path"),
        **dict.fromkeys(("text", "text_column"), "columns.text"),
        **dict.fromkeys(("label", "label_column", "target"), "columns.label"),
        **dict.fromkeys(("max_samples", "max_train_samples"), "limit.train"),
        **dict.fromkeys(("shots", "samples_per_class", "samples_per_label"), "limit_per_class"),
        **dict.fromkeys(("groups", "group_by", "group_column"), "group"),
        **dict.fromkeys(("validation_split", "val_split", "test_size"), "splits.validation"),
        **dict.fromkeys(("train", "train_file", "training_data"), "splits.train"),
        **dict.fromkeys(("validation", "validation_file", "val", "dev"), "splits.validation"),
        **dict.fromkeys(("test", "test_file"), "splits.test"),
        **dict.fromkeys(("sep", "delimiter"), "separator"),
    },
    "strategy": {"rank": "r", "alpha": "lora_alpha", "dropout": "lora_dropout"},
    "training": {
        "group_by_length": "train_sampling_strategy=group_by_length",
        **dict.fromkeys(("dtype", "torch_dtype", "mixed_precision", "precision"), "bf16"),
        **dict.fromkeys(("patience", "early_stopping_patience"), "early_stopping.patience"),
        "max_length": "task.max_length",
    },
    "early_stopping": {"early_stopping_patience": "patience"},
}
STRATEGIES = {
    "qlora": "lora with model.quantization=4bit strategy.save=adapter",
    "dora": "lora with strategy.use_dora=true",
    "rslora": "lora with strategy.use_rslora=true",
    **dict.fromkeys(("finetune", "fine_tuning", "full_finetuning", "all"), "full"),
    **dict.fromkeys(("probe", "frozen", "feature_extraction", "head_only"), "linear_probe"),
    **dict.fromkeys(("llrd", "discriminative"), "layerwise_lr_decay"),
    **dict.fromkeys(("setfit", "sentence_transformer", "supcon"), "contrastive"),
}
STRATEGIES |= {"finetuning": "full", "linear_probing": "linear_probe", "head": "linear_probe"}
TASKS = {
    **dict.fromkeys(
        ("sentiment", "sentiment_analysis", "sequence_classification", "nli", "regression"),
        "text_classification",
    ),
    **dict.fromkeys(("ner", "pos", "tagging", "chunking"), "token_classification"),
    **dict.fromkeys(("qa", "squad", "extractive_qa"), "question_answering"),
    **dict.fromkeys(("asr", "stt", "ctc", "speech_to_text"), "speech_recognition"),
    **dict.fromkeys(("clm", "lm", "text_generation", "language_modeling"), "causal_lm"),
    **dict.fromkeys(("mlm", "fill_mask"), "masked_lm"),
    **dict.fromkeys(("vision", "images"), "image_classification"),
    **dict.fromkeys(("sounds", "sound_classification"), "audio_classification"),
}
SOURCES = {
    **dict.fromkeys(("csv", "tsv", "json", "jsonl", "parquet", "local", "folder"), "files"),
    **dict.fromkeys(("imagefolder", "audiofolder", "disk"), "files"),
    **dict.fromkeys(("hf", "huggingface", "huggingface_hub", "datasets"), "hub"),
}
# section -> what its kind is called, and words for kinds
KIND_WORDS = {
    "strategy": ("strategy", STRATEGIES),
    "task": ("task", TASKS),
    "data": ("source", SOURCES),
}
