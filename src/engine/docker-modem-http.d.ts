/** docker-modem's own HTTP module, which its types leave out. */
declare module 'docker-modem/lib/http.js' {
  const modemHttp: {
    /** Redirects that are followed before a request fails. */
    maxRedirects: number
  }
  export default modemHttp
}
