"""A head solved on frozen features: from which pooling, with how strong a penalty."""
