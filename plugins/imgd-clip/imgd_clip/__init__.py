"""CLIP: photos and words as vectors of one space, by any model of OpenCLIP, on ONNX Runtime or PyTorch."""
