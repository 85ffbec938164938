import keras

Table = keras.layers.Layer
