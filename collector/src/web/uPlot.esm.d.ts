// The browser loads uPlot's own module from /assets; its types are those of the package.
export { default } from 'uplot';
