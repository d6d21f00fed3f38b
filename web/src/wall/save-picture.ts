// A still of a tile as a file, with who took it and when written into the picture.

export function savePicture(canvas: HTMLCanvasElement, caption: string, fileName: string): void {
  const context = canvas.getContext('2d');
  if (context) {
    const size = Math.max(12, Math.round(canvas.height / 36));
    context.font = `${size}px sans-serif`;
    const width = context.measureText(caption).width + size;
    context.fillStyle = 'rgb(0 0 0 / 60%)';
    context.fillRect(0, canvas.height - size * 1.8, width, size * 1.8);
    context.fillStyle = '#fff';
    context.fillText(caption, size / 2, canvas.height - size * 0.6);
  }
  canvas.toBlob(
    (blob) => {
      if (!blob) return;
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = fileName;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    },
    'image/jpeg',
    0.92,
  );
}
