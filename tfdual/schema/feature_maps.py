"""The maps in which the layered dual-encoder architecture holds a row's features, one for each kind."""

from tfdual.schema.column_schema import Kind

FEATURE_MAPS = {
    Kind.DENSE: "dense_features_map",
    Kind.CATEGORICAL: "category_id_features_map",
    Kind.EMBEDDING: "embedding_features_map",
    Kind.ID_LIST: "id_list_features_map",
    Kind.STRING: "string_features_map",
}
