/**
 * Labels on Swarm objects. Always Spec.Labels of the object itself: changing those of the task template
 * restarts every task, which is right only for what belongs to the container (`postStart`, `files`).
 */
export const LABEL = {
  /** Docker's own: the stack an object belongs to. Kept so that `docker stack ls` goes on working. */
  stack: 'com.docker.stack.namespace',
  /** Docker's own: the image as the user wrote it, before a digest was pinned. */
  image: 'com.docker.stack.image',
  /** Service: published TCP ports that the edges serve. JSON, `PublishedPort[]` of src/catalog. */
  ports: 'muster.ports',
  /** Service: HTTP virtual hosts and paths. JSON, `HttpRoute[]` of src/catalog. */
  http: 'muster.http',
  /** Service: dependencies still waited for. JSON, `Dependency[]` of src/leader. */
  after: 'muster.after',
  /** Service held back by `muster.after`: the replicas it gets when released. */
  replicas: 'muster.replicas',
  /** Service that is the head of a clustered service: JSON, `RecipeChoice` of src/catalog. */
  recipe: 'muster.recipe',
  /** Service with a recipe: `image` if the image's label has chosen it. */
  recipeFrom: 'muster.recipe.from',
  /** Head: how many members it is to have; 0 stops them all, in order, and forgets none. */
  members: 'muster.members',
  /** Service of one member, config of a ledger, secret of a recipe: name of the clustered service. */
  cluster: 'muster.cluster',
  /** Service of one member: hash of what it was made from. */
  memberOf: 'muster.member',
  /**
   * Container whose files Muster makes: JSON, `RenderedChoice` of src/recipes. On the container, so that its
   * host knows at once.
   */
  files: 'muster.files',
  /** Config: the ledger of a clustered service. JSON, `Ledger` of src/catalog. */
  ledger: 'muster.ledger',
  /** Config: marks one deployed revision of a stack; value is its number. */
  revision: 'muster.revision',
  /** Config of a revision: `deploying`, `deployed`, `failed`. */
  revisionState: 'muster.revision.state',
  /** Config or secret that came from a file: hash of its content. */
  content: 'muster.content',
  /** Cluster (SwarmSpec.Labels): image of the edge. */
  edgeImage: 'muster.edge.image',
  /** Cluster (SwarmSpec.Labels): milliseconds before Swarm replaces a task that ended. */
  restartDelay: 'muster.restart.delay',
  /** Container: commands that run in it once it has started. JSON, `StartHook[]` of src/catalog. */
  postStart: 'muster.post_start',
  /** Container: reads the data of the member it names, and ends. */
  helper: 'muster.helper',
  /** Container: this is the edge of a host. Value is a hash of how it was made. */
  edge: 'muster.edge',
} as const
